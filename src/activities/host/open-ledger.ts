/**
 * Opens a ledger: whose host it is, and how it was before. A run that is lost leaves nothing but this to the next one.
 * @module
 */
import type { TruthBaseline } from '../../domain/gpu/truth-table.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext } from '../define-step.js';
import { readDevices, readFailedUnits } from './devices.js';
import { NOTE_SERVER } from './facts.js';
import { noteOnce, readNote, writeLedgerState } from './ledger.js';
import type { RemoteHost } from './remote-host.js';

/** In the ledger: how the host was before the first run that changed it and did not end, as JSON. */
const NOTE_BASELINE = 'baseline';

/** For a host that has no ledger, or whose ledger was set aside. Call before this run changes what the baseline tells. */
export async function openLedger(ctx: StepContext): Promise<void> {
  // The state last, so that a ledger that is there has its notes.
  await noteOnce(ctx.host, NOTE_SERVER, [ctx.spec.name]);
  await noteOnce(ctx.host, NOTE_BASELINE, [await baseline(ctx)]);
  await writeLedgerState(ctx.host, { run: ctx.run.id, state: 'open', at: new Date().toISOString() });
}

/** How the host was when its ledger was opened; null where the ledger has no such note. Throws OutputUnexpected when that is garbled. */
export async function notedBaseline(host: RemoteHost): Promise<TruthBaseline | null> {
  const [line] = (await readNote(host, NOTE_BASELINE)) ?? [];
  if (line === undefined) return null;
  try {
    const value = JSON.parse(line) as Partial<TruthBaseline>;
    const { linkWidths, failedUnits, nativeDrivers } = value;
    if (linkWidths && nativeDrivers && Array.isArray(failedUnits)) return { linkWidths, failedUnits, nativeDrivers };
  } catch {
    // Falls through: a garbled note is reported, never replaced by what is there now.
  }
  throw new ProvisionError('OutputUnexpected', `the note "${NOTE_BASELINE}" of the ledger is garbled`);
}

async function baseline(ctx: StepContext): Promise<string> {
  const gpus = (await readDevices(ctx)).filter((device) => ctx.spec.gpus.addresses.includes(device.address));
  return JSON.stringify({
    linkWidths: Object.fromEntries(gpus.map((gpu) => [gpu.address, gpu.linkWidth])),
    failedUnits: await readFailedUnits(ctx),
    nativeDrivers: Object.fromEntries(gpus.map((gpu) => [gpu.address, gpu.driver])),
  });
}
