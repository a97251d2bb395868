/**
 * The ledger beyond single files: whose it is, in which state, and notes about what is not a file (holds, masked units, built images).
 * @module
 */
import { KNOWN_GOOD_DIR, LEDGER_DIR, LEDGER_STATE_FILE, STATE_DIR } from '../../domain/host-layout.js';
import { ProvisionError } from '../../ports/failure.js';
import { sha256, type LedgerEntry, type RemoteHost } from './remote-host.js';
import { REMOVE_FILE, WRITE_FILE } from './scripts.js';

export interface LedgerState {
  readonly run: string;
  /** open: changes may have to be undone. committed: isolation is proven and stays. */
  readonly state: 'open' | 'committed';
  /** ISO 8601, by the worker's clock. */
  readonly at: string;
}

/** What undoing phase 4 puts back: its own files, and everything that decides a boot, whichever phase touched that first. */
export function isUndoneByIsolation(entry: LedgerEntry): boolean {
  if (/^(isolation|commit)\./.test(entry.step)) return true;
  return entry.path.startsWith('/boot/') && !entry.path.startsWith(`${KNOWN_GOOD_DIR}/`);
}

/** What phase 4 left at each path that it owns, `SHA-256 PATH` or `- PATH`: what verification compares with, and giving back goes by. */
const NOTE_COMMITTED = 'committed-files';
/**
 * The same of what a newer kernel left since: its image, and grub.cfg. Kept apart, since giving back takes them for what came since: made
 * anew without the hook, and never put back as they were when there was no such kernel.
 */
const NOTE_UPGRADED = 'upgraded-files';

export async function noteCommitted(host: RemoteHost): Promise<void> {
  const owned = (await host.ledger()).filter(isUndoneByIsolation);
  await writeHashes(host, NOTE_COMMITTED, new Map(owned.map(({ path, current }) => [path, current?.sha256 ?? null])));
}

/** One path anew, where something was committed; the others keep the hashes that they were committed with. */
export async function noteCommittedAgain(host: RemoteHost, path: string): Promise<void> {
  const committed = await readIsolated(host);
  if (committed !== null) await writeHashes(host, NOTE_COMMITTED, await withNow(host, committed, [path]));
}

export async function noteUpgraded(host: RemoteHost, paths: readonly string[]): Promise<void> {
  const known = (await readHashes(host, NOTE_UPGRADED)) ?? new Map<string, string | null>();
  await writeHashes(host, NOTE_UPGRADED, await withNow(host, known, paths));
}

async function withNow(
  host: RemoteHost,
  known: ReadonlyMap<string, string | null>,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string | null>> {
  return new Map([...known, ...(await host.hashFiles(paths))]);
}

function writeHashes(host: RemoteHost, note: string, hashes: ReadonlyMap<string, string | null>): Promise<void> {
  return writeNote(
    host,
    note,
    [...hashes].map(([path, hash]) => `${hash ?? '-'} ${path}`),
  );
}

/** Hash by path, null for what was absent; null when nothing was committed, or by a version that did not note it. */
export type Committed = ReadonlyMap<string, string | null> | null;

export async function readCommitted(host: RemoteHost): Promise<Committed> {
  const isolated = await readIsolated(host);
  return isolated === null ? null : new Map([...isolated, ...((await readHashes(host, NOTE_UPGRADED)) ?? [])]);
}

/** As the isolation left it, whatever kernels came since: what giving back goes by. */
export const readIsolated = (host: RemoteHost): Promise<Committed> => readHashes(host, NOTE_COMMITTED);

async function readHashes(host: RemoteHost, note: string): Promise<Committed> {
  const lines = await readNote(host, note);
  if (lines === null) return null;
  return new Map(
    lines.map((line) => {
      const space = line.indexOf(' ');
      const hash = line.slice(0, space);
      return [line.slice(space + 1), hash === '-' ? null : hash];
    }),
  );
}

/** Paths of phase 4 that are neither as it was committed nor as before: somebody changed them since. Empty where nothing was committed. */
export async function changedSinceCommit(host: RemoteHost): Promise<readonly string[]> {
  const committed = await readIsolated(host);
  // Reading the ledger hashes every image.
  return committed === null ? [] : changedSince(committed, await host.ledger());
}

/** The same of what was read already. */
export function changedSince(committed: Committed, entries: readonly LedgerEntry[]): readonly string[] {
  if (committed === null) return [];
  return entries
    .filter(({ path, original, current }) => {
      const now = current?.sha256 ?? null;
      return committed.has(path) && committed.get(path) !== now && (original?.sha256 ?? null) !== now;
    })
    .map(({ path }) => path);
}

/** Text of a path as it was before this ledger's first change; null when there was no such file, or the ledger doesn't own it. */
export async function readOriginal(host: RemoteHost, path: string): Promise<string | null> {
  const original = (await host.ledger()).find((entry) => entry.path === path)?.original ?? null;
  return original === null ? null : host.readFile(`${LEDGER_DIR}/blobs/${original.sha256}`);
}

/** null when the host has no ledger. */
export async function readLedgerState(host: RemoteHost): Promise<LedgerState | null> {
  const text = await host.readFile(LEDGER_STATE_FILE);
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as Partial<LedgerState>;
    if (typeof value.run === 'string' && (value.state === 'open' || value.state === 'committed')) {
      return { run: value.run, state: value.state, at: typeof value.at === 'string' ? value.at : '' };
    }
  } catch {
    // Falls through: a garbled ledger is reported, never taken for an empty one.
  }
  throw new ProvisionError('OutputUnexpected', `${LEDGER_STATE_FILE} is garbled: ${text.slice(0, 100)}`);
}

export async function writeLedgerState(host: RemoteHost, state: LedgerState): Promise<void> {
  await writeDurably(host, LEDGER_STATE_FILE, `${JSON.stringify(state)}\n`);
}

/** Notes lines under a name, once: what an earlier attempt noted stays, since it saw the original state. Returns the note. */
export async function noteOnce(host: RemoteHost, name: string, lines: readonly string[]): Promise<readonly string[]> {
  const present = await readNote(host, name);
  if (present !== null) return present;
  await writeNote(host, name, lines);
  return lines;
}

export async function writeNote(host: RemoteHost, name: string, lines: readonly string[]): Promise<void> {
  await writeDurably(host, `${LEDGER_DIR}/notes/${name}`, lines.map((line) => `${line}\n`).join(''));
}

/** Takes a note away, durably. */
export async function dropNote(host: RemoteHost, name: string): Promise<void> {
  await host.changeScript(REMOVE_FILE, [`${LEDGER_DIR}/notes/${name}`]);
}

export async function readNote(host: RemoteHost, name: string): Promise<readonly string[] | null> {
  const text = await host.readFile(`${LEDGER_DIR}/notes/${name}`);
  return text === null ? null : text.split('\n').filter((line) => line !== '');
}

/** Sets the ledger aside under its run, so that the next run starts with an empty one and nothing is lost. */
export async function archiveLedger(host: RemoteHost, runId: string): Promise<void> {
  const target = `${STATE_DIR}/archive/${runId}`;
  await host.changeScript(ARCHIVE, [LEDGER_DIR, target]);
}

const ARCHIVE = `set -eu
if [ ! -d "$1" ]; then exit 0; fi
mkdir -p "\${2%/*}"
target=$2
n=1
while [ -e "$target" ]; do n=$((n + 1)); target=$2.$n; done
mv -T "$1" "$target"
sync -f "\${2%/*}"`;

async function writeDurably(host: RemoteHost, path: string, content: string): Promise<void> {
  await host.changeScript(WRITE_FILE, [path, '600', sha256(content)], { stdin: content });
}
