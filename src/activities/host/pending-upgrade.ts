/**
 * A newer kernel that is being installed, or was by a run that is lost: noted in the ledger before apt begins, gone when its kernel is
 * committed or taken away again.
 * @module
 */
import type { KernelUpgrade } from '../../domain/boot/kernel-upgrade.js';
import { ProvisionError } from '../../ports/failure.js';
import { dropNote, readNote, writeNote } from './ledger.js';
import type { RemoteHost } from './remote-host.js';

/** In the ledger, as JSON. */
const NOTE_PENDING = 'kernel-upgrade';

export interface PendingUpgrade extends KernelUpgrade {
  readonly run: string;
  /** SHA-256 of its boot image when that was inspected; null before. */
  readonly image: string | null;
}

/** null where none is pending. Throws OutputUnexpected when the note is garbled. */
export async function pendingUpgrade(host: RemoteHost): Promise<PendingUpgrade | null> {
  const [line] = (await readNote(host, NOTE_PENDING)) ?? [];
  if (line === undefined) return null;
  try {
    const { run, from, to, packages, image = null } = JSON.parse(line) as Partial<PendingUpgrade>;
    if (run !== undefined && from !== undefined && to !== undefined && Array.isArray(packages))
      return { run, from, to, packages, image };
  } catch {
    // Falls through: a garbled note is reported, never taken for none.
  }
  throw new ProvisionError('OutputUnexpected', `the note "${NOTE_PENDING}" of the ledger is garbled`);
}

export const notePending = (host: RemoteHost, pending: PendingUpgrade): Promise<void> =>
  writeNote(host, NOTE_PENDING, [JSON.stringify(pending)]);

export const dropPending = (host: RemoteHost): Promise<void> => dropNote(host, NOTE_PENDING);
