/**
 * What can go wrong at a step: the columns of the matrix. A fault strikes between the worker and the step's own activity, or in the lab;
 * the code under test has no switch for any of them.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { Context, heartbeat, sleep } from '@temporalio/activity';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { StepImplementation } from '../../src/activities/define-step.js';
import type { FailureType } from '../../src/domain/run/failures.js';
import type { Outcome } from '../../src/domain/run/outcomes.js';
import type { Phase } from '../../src/domain/run/phases.js';
import type { Receipt } from '../../src/domain/run/questions.js';
import { STEPS, type Step, type StepResult } from '../../src/domain/run/steps.js';
import { STEP_TABLES } from '../../src/worker.js';
import type { Fault } from './fault.js';

const failure = (type: FailureType, nonRetryable: boolean): ApplicationFailure =>
  ApplicationFailure.create({ type, message: 'fault of the matrix', nonRetryable });

/** How often a held activity says that it is alive: a cancel comes back with it. */
const BEAT_MS = 100;

const UP_LIMIT_MS = 60_000;

/** The question about the reboot is asked when everything is staged. */
const asks = (step: Step): boolean => step.asks !== undefined || step.name === STEPS['gpu-isolation'].at(-1)?.name;

/** Rejects when the answer is taken. */
async function refused(answer: Promise<Receipt>): Promise<void> {
  const receipt = await answer.catch((error: unknown) => {
    if (error instanceof WorkflowUpdateFailedError) return null;
    throw error;
  });
  if (receipt !== null) throw new Error(`${receipt.gate}: an answer was taken that must be refused`);
}

/** Steps without a check are applied each time, and say so. */
export function hasCheck(name: string): boolean {
  const steps: Readonly<Record<string, StepImplementation>> = Object.assign({}, ...Object.values(STEP_TABLES));
  return steps[name]?.check !== undefined;
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'fails before, once',
    shape: 'heals',
    strike: (_body, { happened }) => {
      happened();
      return Promise.reject(failure('HostUnreachable', false));
    },
  },
  {
    name: 'fails after, once',
    shape: 'heals',
    strike: async (body, { happened }) => {
      await body();
      happened();
      throw failure('LinkLost', false);
    },
  },
  {
    name: 'hangs after',
    shape: 'heals',
    slow: true,
    silent: true,
    strike: async (body, { happened, nextAttempt }) => {
      const result = await body();
      happened();
      await nextAttempt();
      return result;
    },
  },
  {
    name: 'link lost',
    shape: 'heals',
    strike: async (body, { rack, happened }) => {
      const before = rack.faults.struck.length;
      for (const at of ['ssh', 'forward'] as const)
        rack.faults.add({ at, effect: { kind: 'drop-link', when: 'during' } });
      let result: StepResult | undefined;
      try {
        result = await body();
        return result;
      } finally {
        rack.faults.clear();
        if (rack.faults.struck.length > before) happened();
        else if (result !== undefined) happened('used no connection');
      }
    },
  },
  {
    name: 'power cycled',
    shape: 'heals',
    slow: true,
    strike: async (body, { host, happened }) => {
      const result = await body();
      happened();
      host.powerCycle();
      return result;
    },
  },
  {
    name: 'worker killed',
    shape: 'heals',
    kills: 'worker',
    slow: true,
    silent: true,
  },
  {
    name: 'Temporal killed',
    shape: 'heals',
    kills: 'temporal',
    slow: true,
    strike: async (body, { happened, restartTemporal }) => {
      const result = await body();
      happened();
      await restartTemporal();
      return result;
    },
  },
  {
    name: 'nobody answers',
    shape: 'asked',
    strikes: asks,
    boot: { approvalExpiresSeconds: 1 },
    answer: () => Promise.resolve(),
    ends: ({ afterFailure }) => (afterFailure === 'undone' ? 'expired' : 'incomplete'),
  },
  {
    name: 'answered wrongly and twice',
    shape: 'asked',
    strikes: asks,
    answer: async (run, { id, digest }) => {
      const by = { gate: id, by: 'op-a@ops1', reason: 'matrix' };
      await refused(run.decide('approve', { ...by, digest: '0000-0000' }));
      await refused(run.decide('approve', by));
      await run.decide('approve', { ...by, digest });
      const { duplicate } = await run.decide('approve', { ...by, digest });
      if (!duplicate) throw new Error(`${id}: the second approval counts as a new one`);
      await refused(run.decide('reject', by));
    },
    ends: () => 'provisioned',
  },
  {
    name: 'power cycled while asked',
    shape: 'asked',
    strikes: asks,
    answer: async (run, { id, digest }, { host }) => {
      if (!id.includes('#')) {
        host.powerCycle();
        await host.waitFor(({ isUp }) => isUp, 'a boot while it is asked', UP_LIMIT_MS);
      }
      await run.decide('approve', { gate: id, digest, by: 'op-a@ops1', reason: 'matrix' });
    },
    ends: () => 'provisioned',
  },
  {
    name: 'done twice',
    shape: 'heals',
    strike: async (body, { step, happened, manifest }) => {
      const result = await body();
      const before = manifest();
      const again = await body();
      const problems = [
        ...(again.changed && hasCheck(step) ? [`changed something the second time: ${again.summary}`] : []),
        ...(isDeepStrictEqual(manifest(), before) ? [] : ['left other files the second time']),
      ];
      happened(problems.join('; '));
      return result;
    },
  },
  {
    name: 'fails before, for good',
    shape: 'lasts',
    strike: (_body, { happened }) => {
      happened();
      return Promise.reject(failure('CommandFailed', true));
    },
  },
  {
    name: 'fails after, for good',
    shape: 'lasts',
    strike: async (body, { happened }) => {
      await body();
      happened();
      throw failure('StepNotVerified', true);
    },
  },
  {
    name: 'undone twice',
    shape: 'undoes',
    strikes: ({ undo }) => undo,
    strike: async (body, { happened, manifest }) => {
      await body();
      const before = manifest();
      const again = await body();
      happened(isDeepStrictEqual(manifest(), before) ? '' : 'left other files the second time');
      return again;
    },
  },
  {
    name: 'cancelled',
    shape: 'cancels',
    strike: async (body, { happened, cancelRun }) => {
      await body();
      happened();
      await cancelRun();
      // Rejects when the cancel arrives, which it does with a heartbeat.
      for (;;) {
        heartbeat();
        await sleep(BEAT_MS);
        Context.current().cancellationSignal.throwIfAborted();
      }
    },
  },
];

const GIVEN_UP: Readonly<Record<Phase['afterFailure'], Outcome>> = {
  refused: 'refused',
  undone: 'restored',
  parks: 'incomplete',
};

/** Strikes at the last step of the phase whose undos are struck. */
export const LAST_STEP_FAILS: Fault = {
  name: 'last step fails',
  shape: 'lasts',
  strike: async (body) => {
    await body();
    throw failure('StepNotVerified', true);
  },
};

/** How a run must end in which the fault strikes at a step of the phase. */
export function endOf({ shape, ends }: Fault, phase: Phase): Outcome {
  if (ends !== undefined) return ends(phase);
  return shape === 'heals' ? 'provisioned' : GIVEN_UP[phase.afterFailure];
}
