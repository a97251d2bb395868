/**
 * Reads a host's serial console beside a reboot, from before it is asked for until its outcome is known: a boot that never reached its disk has
 * said there why, and nowhere else. A look only: nothing is typed, and whatever goes wrong is told, never thrown.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ConsoleLog } from '../domain/boot/console-log.js';
import { FAILURES } from '../domain/run/failures.js';
import type { WithArtifacts } from '../domain/run/artifacts.js';
import type { BmcConsole } from '../ports/bmc.js';
import { ProvisionError } from '../ports/failure.js';
import { contextOf, isCancelOfRun, reporting, type Adapters } from './define-step.js';
import { Evidence } from './evidence.js';
import type { RebootInput } from './reboot.js';

/** A console that somebody else has is asked for again, ever more rarely: each time costs the BMC a session. */
export interface ConsolePacing {
  readonly firstRetryMs: number;
  readonly slowestRetryMs: number;
}
const PACING: ConsolePacing = { firstRetryMs: 5_000, slowestRetryMs: 60_000 };
const GAPS_TOLD = 20;

export interface ConsoleRead extends WithArtifacts {
  /** What it said last; null when it said nothing. */
  readonly lastLine: string | null;
  /** Why it was not read, or not all the time; null when all is well. */
  readonly problem: string | null;
}

export interface ConsoleActivities {
  /** Ends when it is cancelled, with what was read; or at once where there is no console. */
  'bmc.console'(input: RebootInput): Promise<ConsoleRead>;
}

export function consoleActivities(adapters: Adapters, pacing = PACING): ConsoleActivities {
  return {
    'bmc.console': (input) =>
      reporting(async () => {
        const { bmc, signal } = contextOf(adapters, input);
        if (bmc === null || bmc.console === null) return { lastLine: null, problem: 'this BMC has no console' };
        const log = new ConsoleLog();
        const began = new Date();
        const gaps = await readUntilCancelled(bmc.console, log, signal, pacing);
        // The worker stops: the next one reads on. What this one has heard goes with it.
        if (signal.aborted && !isCancelOfRun(signal)) throw signal.reason;
        const read: ConsoleRead = { lastLine: log.lastLine(), problem: problemOf(gaps) };
        // A cancel is how it ends, so what is kept is kept after one.
        const evidence = new Evidence(adapters.artifacts, NEVER);
        return evidence.with(async () => {
          if (read.lastLine === null) return read;
          const about = `serial console of ${input.spec.name}, reboot ${input.number} (${input.purpose}), ${span(began, new Date())}`;
          const text = [about, ...gaps.map(describe), '', ...log.lines(), ''].join('\n');
          await evidence.keep(`console-of-reboot-${input.number}.log`, text);
          return read;
        });
      }),
  };
}

const NEVER = new AbortController().signal;

interface Gap {
  readonly from: Date;
  to: Date;
  readonly why: string;
}

/** When it was not read, and why. */
async function readUntilCancelled(
  console: BmcConsole,
  log: ConsoleLog,
  signal: AbortSignal,
  { firstRetryMs, slowestRetryMs }: ConsolePacing,
): Promise<readonly Gap[]> {
  const gaps: Gap[] = [];
  let pause = firstRetryMs;
  while (!signal.aborted) {
    const heardBefore = log.heard;
    try {
      await console.read((bytes) => log.hear(bytes), signal);
      return gaps;
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
      if (log.heard > heardBefore) pause = firstRetryMs;
      const isAnother = log.heard > heardBefore || gaps.at(-1)?.why !== error.message;
      if (isAnother && gaps.length < GAPS_TOLD) gaps.push({ from: new Date(), to: new Date(), why: error.message });
      if (!FAILURES[error.type].retryable) return gaps;
    }
    // Woken by the cancel, too.
    await delay(pause, undefined, { signal }).catch(() => undefined);
    const gap = gaps.at(-1);
    if (gap !== undefined) gap.to = new Date();
    pause = Math.min(2 * pause, slowestRetryMs);
  }
  return gaps;
}

const span = (from: Date, to: Date): string => `${from.toISOString()} to ${to.toISOString()}`;
const describe = ({ from, to, why }: Gap): string => `not read ${span(from, to)}: ${why}`;

function problemOf(gaps: readonly Gap[]): string | null {
  const last = gaps.at(-1);
  if (last === undefined) return null;
  const seconds = gaps.reduce((sum, { from, to }) => sum + (to.getTime() - from.getTime()) / 1_000, 0);
  return `not read${seconds < 1 ? '' : ` for ${Math.round(seconds)} s`}: ${last.why}`;
}
