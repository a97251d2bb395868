/**
 * A run from its client's side: its questions are answered, its end is awaited. For whole runs on any kind of host.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { RunStatus } from '../../src/domain/run/messages.js';
import type { Choice, Decision, Receipt } from '../../src/domain/run/questions.js';

export interface Patience {
  readonly lookEveryMs: number;
  /** For one thing that is waited for; without a limit where left out, which the test's own limit then is. */
  readonly limitMs?: number;
  /** While no worker answers: tests kill theirs. Not at all where left out. */
  readonly withoutWorkerMs?: number;
}

export class ProvisionRun {
  constructor(
    readonly handle: WorkflowHandle,
    private readonly patience: Patience,
  ) {}

  async status(): Promise<RunStatus> {
    const end = Date.now() + (this.patience.withoutWorkerMs ?? 0);
    for (;;) {
      try {
        return await this.handle.query<RunStatus>('status');
      } catch (error) {
        if (!(error instanceof ServiceError) || Date.now() >= end) throw error;
        await delay(this.patience.lookEveryMs);
      }
    }
  }

  /** Throws when the run ends first, or the patience does. */
  async until(predicate: (status: RunStatus) => boolean): Promise<RunStatus> {
    const end = Date.now() + (this.patience.limitMs ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const status = await this.status();
      if (predicate(status)) return status;
      if (status.outcome !== null && status.outcome !== 'needs-hands') throw new Error(`ended: ${story(status)}`);
      if (Date.now() > end) throw new Error(`never seen: ${story(status)}`);
      await delay(this.patience.lookEveryMs);
    }
  }

  /** Resolves when this question is asked. Throws when another one is. */
  async untilAsked(id: string): Promise<RunStatus> {
    return this.until((s) => {
      if (s.question !== null && s.question.id !== id) throw new Error(`asked ${s.question.id}: ${story(s)}`);
      return s.question?.id === id;
    });
  }

  decide(choice: Choice, decision: Decision): Promise<Receipt> {
    return this.handle.executeUpdate<Receipt, [Decision]>(choice, { args: [decision] });
  }

  /** Answers this question as soon as it is asked. */
  async answer(choice: Choice, id: string): Promise<Receipt> {
    const { question } = await this.untilAsked(id);
    return this.decide(choice, { gate: id, digest: question?.digest ?? '', by: 'op-a@ops1', reason: 'test' });
  }

  async approve(id = 'reboot'): Promise<Receipt> {
    return this.answer('approve', id);
  }

  /** How it ended, whichever way. */
  async end(): Promise<RunStatus> {
    try {
      await this.handle.result();
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
    }
    return this.status();
  }
}

/** For messages of failing tests. */
export function story(status: RunStatus): string {
  return [
    `${status.outcome} ${status.failure?.message ?? ''}`,
    ...status.events.map((e) => `${e.at} ${e.kind} ${e.text}`),
  ].join('\n');
}
