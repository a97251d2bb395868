/**
 * The copy of what booted that counts: read, proven, and the older ones taken away.
 * @module
 */
import type { BootedCopy } from '../../domain/boot/custom-cfg.js';
import { parseGrubConfig } from '../../domain/boot/grub-config.js';
import { GRUB_CUSTOM_CFG, KNOWN_GOOD_CURRENT, KNOWN_GOOD_DIR } from '../../domain/host-layout.js';
import {
  COPY,
  initrdNames,
  isVersion,
  parseManifest,
  versionOf,
  versionsIn,
} from '../../domain/preparation/known-good.js';
import { ProvisionError } from '../../ports/failure.js';
import { readOriginal } from './ledger.js';
import { sha256, type RemoteHost } from './remote-host.js';

export interface KnownGoodCopy {
  readonly version: string;
  readonly directory: string;
  /** SHA-256 by file name, in the order of the manifest. */
  readonly files: ReadonlyMap<string, string>;
}

/** null when there is none, or what there is has no manifest of its name. Its files are not looked at. */
export async function currentCopy(host: RemoteHost): Promise<KnownGoodCopy | null> {
  const version = (await host.readFile(KNOWN_GOOD_CURRENT))?.trim() ?? '';
  if (!isVersion(version)) return null;
  const directory = `${KNOWN_GOOD_DIR}/${version}`;
  const manifest = await host.readFile(`${directory}/${COPY.manifest}`);
  if (manifest === null || versionOf(sha256(manifest)) !== version) return null;
  const files = parseManifest(manifest);
  const complete = files !== null && [COPY.kernel, COPY.stanza, COPY.commandLine].every((name) => files.has(name));
  return complete && initrdNames(files).length > 0 ? { version, directory, files } : null;
}

/** The same, with files of the hashes that its manifest says. */
export async function undamagedCopy(host: RemoteHost): Promise<KnownGoodCopy | null> {
  const copy = await currentCopy(host);
  if (copy === null) return null;
  const hashes = await host.hashFiles([...copy.files.keys()].map((name) => `${copy.directory}/${name}`));
  return [...copy.files].every(([name, hash]) => hashes.get(`${copy.directory}/${name}`) === hash) ? copy : null;
}

/** For the menu; `known` where it has been read already. Throws StepNotVerified when nothing usable is kept. */
export async function bootedCopy(host: RemoteHost, known?: KnownGoodCopy): Promise<BootedCopy> {
  const copy = known ?? (await currentCopy(host));
  const stanza = copy === null ? null : await host.readFile(`${copy.directory}/${COPY.stanza}`);
  const entry = stanza === null ? undefined : parseGrubConfig(stanza).entries[0];
  if (copy === null || entry === undefined)
    throw new ProvisionError('StepNotVerified', `${KNOWN_GOOD_DIR} holds no complete copy of what booted`);
  return {
    entry,
    kernel: `${copy.directory}/${COPY.kernel}`,
    initrds: initrdNames(copy.files).map((name) => `${copy.directory}/${name}`),
  };
}

/** Removes copies that no menu names: neither custom.cfg nor the one that undo would put back. */
export async function pruneCopies(host: RemoteHost): Promise<void> {
  const current = await currentCopy(host);
  const menus = [await host.readFile(GRUB_CUSTOM_CFG), await readOriginal(host, GRUB_CUSTOM_CFG)];
  const wanted = new Set([current?.version, ...menus.flatMap((menu) => versionsIn(menu ?? ''))]);
  const found = await host.must(['find', KNOWN_GOOD_DIR, '-mindepth', '1', '-maxdepth', '1', '-type', 'd']);
  for (const path of found.split('\n')) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (isVersion(name) && !wanted.has(name)) await host.changeScript(REMOVE_COPY, [`${KNOWN_GOOD_DIR}/${name}`]);
  }
}

/** `FOLDER`: its manifest first, so that a power cut leaves nothing that looks complete. */
const REMOVE_COPY = `set -eu
rm -f "$1/manifest"
sync -f "$1"
rm -rf "$1"
sync -f "\${1%/*}"`;
