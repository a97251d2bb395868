/**
 * Opens a ledger: whose host it is, and how it was before. A run that is lost leaves nothing but this to the next one.
 * @module
 */
import type { StepContext } from '../define-step.js';
import { NOTE_BASELINE } from '../preflight.js';
import { readDevices, readFailedUnits } from './devices.js';
import { NOTE_SERVER } from './facts.js';
import { noteOnce, writeLedgerState } from './ledger.js';

/** For a host that has no ledger, or whose ledger was set aside. Call before this run changes what the baseline tells. */
export async function openLedger(ctx: StepContext): Promise<void> {
  // The state last, so that a ledger that is there has its notes.
  await noteOnce(ctx.host, NOTE_SERVER, [ctx.spec.name]);
  await noteOnce(ctx.host, NOTE_BASELINE, [await baseline(ctx)]);
  await writeLedgerState(ctx.host, { run: ctx.run.id, state: 'open', at: new Date().toISOString() });
}

async function baseline(ctx: StepContext): Promise<string> {
  const gpus = (await readDevices(ctx)).filter((device) => ctx.spec.gpus.addresses.includes(device.address));
  return JSON.stringify({
    linkWidths: Object.fromEntries(gpus.map((gpu) => [gpu.address, gpu.linkWidth])),
    failedUnits: await readFailedUnits(ctx),
    nativeDrivers: Object.fromEntries(gpus.map((gpu) => [gpu.address, gpu.driver])),
  });
}
