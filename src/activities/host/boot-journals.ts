/**
 * What a boot that failed has said: read when the host can be reached again, perhaps from another boot.
 * @module
 */
import { at, jsonOrNull, listAt, textAt } from '../../domain/cluster/objects.js';
import { EVIDENCE_BYTES, type Evidence } from '../evidence.js';
import type { RemoteHost } from './remote-host.js';

/** The end of a boot says most; the whole of one that loops would be endless. */
const LINES = 20_000;
/** The trial, and boots that fell back or were power-cycled. */
const BOOTS = 4;

/** Keeps the journals of the boots since the one that ran while staging. Where journals do not survive a boot, that is only the present one. */
export async function keepBootJournals(host: RemoteHost, evidence: Evidence, stagedIn: string): Promise<void> {
  for (const { index, id } of await bootsSince(host, stagedIn)) {
    await evidence.keep(`journal-of-boot-${id.slice(0, 8)}.log`, () => readJournal(host, index));
  }
}

interface Boot {
  /** As journalctl counts: 0 is the present one, -1 the one before. */
  readonly index: number;
  /** 32 hex digits. */
  readonly id: string;
}

/** Newest last; empty when the list cannot be understood. */
async function bootsSince(host: RemoteHost, stagedIn: string): Promise<readonly Boot[]> {
  const result = await host.exec(['journalctl', '--list-boots', '--output=json', '--no-pager']);
  if (result.exitCode !== 0) return [];
  const boots = listAt(jsonOrNull(result.stdout)).flatMap((boot): Boot[] => {
    const index = at(boot, 'index');
    const id = textAt(boot, 'boot_id');
    return typeof index === 'number' && index <= 0 && id !== null ? [{ index, id }] : [];
  });
  const sorted = boots.toSorted((a, b) => a.index - b.index);
  const staged = sorted.findIndex(({ id }) => id === stagedIn.replaceAll('-', ''));
  return sorted.slice(staged + 1).slice(-BOOTS);
}

async function readJournal(host: RemoteHost, index: number): Promise<string> {
  const lines = ['-n', String(LINES), '-o', 'short-iso', '--no-pager'];
  return host.must(['journalctl', '-b', String(index), ...lines], { maxOutputBytes: EVIDENCE_BYTES });
}
