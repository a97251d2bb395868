/**
 * The serial console beside a reboot, from the workflow's side. Nothing waits for it but a person who needs it, and the end of the run; and
 * nothing fails by it.
 * @module
 */
import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { RebootInput } from '../activities/reboot.js';
import type { BootOutcome } from '../domain/boot/reboot.js';
import { call } from './act.js';
import { secondsOf } from './durations.js';
import { reportFailure, rethrowBug } from './failure.js';
import type { Run } from './run.js';

/** Has the console read for as long as `wait` takes. Of BMCs that may have one: that is decided by the run's input. */
export async function besideConsole(
  run: Run,
  input: RebootInput,
  wait: () => Promise<BootOutcome>,
): Promise<BootOutcome> {
  if (run.input.spec.bmc.kind !== 'ipmi') return wait();
  const reading = new CancellationScope();
  void reading.run(() => read(run, input));
  try {
    return await wait();
  } finally {
    reading.cancel();
  }
}

async function read(run: Run, input: RebootInput): Promise<void> {
  const { boot } = run.input.spec;
  const patience = Object.values(boot.ladder).reduce((sum, seconds) => sum + seconds, secondsOf.consoleBesideLadder);
  const isHeld = run.readingConsole > 0;
  run.readingConsole += 1;
  try {
    // By the reboot before, for as long as the news of its end takes: asked for now, it would be refused.
    if (isHeld) await condition(() => run.readingConsole === 1);
    const { lastLine, problem, artifacts } = await call('bmc.console', input, {
      site: run.site,
      policy: 'console',
      summary: `read the serial console during reboot ${input.number}`,
      scheduleToCloseSeconds: patience,
    });
    run.keep(artifacts);
    const said = lastLine === null ? 'it said nothing' : `its last line: ${lastLine}`;
    tell(run, input, problem === null ? said : `${said}; ${problem}`);
    const { rebootStatus } = run;
    // An undo may have begun another one, or wait for the same one again.
    if (rebootStatus?.number === input.number && lastLine !== null)
      run.rebootStatus = { ...rebootStatus, console: lastLine };
  } catch (error) {
    rethrowBug(error);
    // Cancelled before a worker had begun with it.
    if (!isCancellation(error)) tell(run, input, `not kept: ${reportFailure(error, null, null).message}`);
  } finally {
    run.readingConsole -= 1;
  }
}

const tell = (run: Run, { number }: RebootInput, text: string): void =>
  run.event('console', `console of reboot ${number}: ${text}`);

/** Before a person is sent to the console, of which there is one, and before the run closes. Bounded, and no cancel cuts it short. */
export async function consoleGivenBack(run: Run): Promise<void> {
  if (run.readingConsole === 0) return;
  const limit = secondsOf.consoleIsGivenBack * 1_000;
  const summary = 'wait until the console is given back';
  const isFree = await CancellationScope.nonCancellable(() =>
    condition(() => run.readingConsole === 0, limit, { summary }),
  );
  if (!isFree) run.event('console', `the console was not given back within ${secondsOf.consoleIsGivenBack} s`);
}
