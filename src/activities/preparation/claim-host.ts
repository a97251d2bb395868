/**
 * The first act of a run that changes a host: the fence, the ledger, and how the host was before.
 * @module
 */
import { FENCE_FILE, unitPattern } from '../../domain/host-layout.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext, StepImplementation } from '../define-step.js';
import { NOTE_SERVER } from '../host/facts.js';
import { noteOnce, readLedgerState, readNote, writeLedgerState, type LedgerState } from '../host/ledger.js';
import { postNotice } from '../host/notice.js';
import { openLedger } from '../host/open-ledger.js';

/**
 * The run that holds the host and is lost: the workflow id is the lock, so that a second run of this server exists only when the first has
 * no history any more (terminated, reset, or another Temporal database). Throws HostLocked when that doesn't follow.
 */
async function lostRun(ctx: StepContext): Promise<string | null> {
  const run = await ctx.host.holder();
  if (run === null || run === ctx.run.id) return null;
  const [server] = (await readNote(ctx.host, NOTE_SERVER)) ?? [];
  if (server !== undefined && server !== ctx.spec.name)
    throw new ProvisionError('HostLocked', `run ${run} holds this host as ${server}, not as ${ctx.spec.name}`);
  const units = await ctx.host.must([
    'systemctl',
    'list-units',
    unitPattern(run),
    '--state=activating,deactivating,reloading',
    '--plain',
    '--no-legend',
  ]);
  if (units.trim() !== '') throw new ProvisionError('HostLocked', `run ${run} is still at work: ${units.trim()}`);
  return run;
}

async function adopt({ host, run, spec }: StepContext, ledger: LedgerState): Promise<void> {
  await noteOnce(host, NOTE_SERVER, [spec.name]);
  // A committed ledger says that the host is isolated; it stays so until staging begins anew.
  if (ledger.state === 'open' && ledger.run !== run.id)
    await writeLedgerState(host, { run: run.id, state: 'open', at: new Date().toISOString() });
}

export const claimHost: StepImplementation = {
  apply: async (ctx) => {
    const { host } = ctx;
    await host.claim(await lostRun(ctx));
    // Started by the lost run after the look and before the fence. Nothing of it can start any more.
    await host.drainUnits();
    const ledger = await readLedgerState(host);
    if (ledger === null) await openLedger(ctx);
    else await adopt(ctx, ledger);
    await postNotice(ctx, 'takes this host');
  },
  verify: async (ctx) => {
    const fence = ((await ctx.host.readFile(FENCE_FILE)) ?? '').trim();
    const wanted = `${ctx.run.id} ${ctx.run.epoch}`;
    if (fence !== wanted)
      throw new ProvisionError('StepNotVerified', `the fence says "${fence.slice(0, 100)}", not "${wanted}"`);
    const ledger = await readLedgerState(ctx.host);
    if (ledger === null) throw new ProvisionError('StepNotVerified', 'the ledger is not there');
    return { summary: `the host belongs to this run; its ledger is ${ledger.state}` };
  },
};
