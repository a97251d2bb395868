/**
 * A run from its client's side: its questions are answered, its end is awaited.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { RunStatus } from '../../src/domain/run/messages.js';

const LOOK_EVERY_MS = 500;
/** From the death of a worker until the next one answers, on a busy machine. */
const WITHOUT_WORKER_MS = 120_000;

export class BootRun {
  constructor(readonly handle: WorkflowHandle) {}

  /** Asks again while no worker answers: tests kill theirs. */
  async status(): Promise<RunStatus> {
    const end = Date.now() + WITHOUT_WORKER_MS;
    for (;;) {
      try {
        return await this.handle.query<RunStatus>('status');
      } catch (error) {
        if (!(error instanceof ServiceError) || Date.now() > end) throw error;
        await delay(LOOK_EVERY_MS);
      }
    }
  }

  /** Resolves when this question is asked. Throws when another one is, or the run ends. */
  async untilAsked(id: string): Promise<RunStatus> {
    for (;;) {
      const status = await this.status();
      if (status.question?.id === id) return status;
      if (status.question !== null) throw new Error(`asked ${status.question.id}: ${story(status)}`);
      if (status.outcome !== null) throw new Error(`ended: ${story(status)}`);
      await delay(LOOK_EVERY_MS);
    }
  }

  /** Answers this question as soon as it is asked. */
  async approve(id = 'reboot'): Promise<void> {
    await this.answer('approve', id);
  }

  async answer(message: 'approve' | 'reject' | 'resume', id: string): Promise<void> {
    const { question } = await this.untilAsked(id);
    const decision = { gate: id, digest: question?.digest ?? '', by: 'op-a@ops1', reason: 'test' };
    await this.handle.executeUpdate(message, { args: [decision] });
  }

  /** How it ended, whichever way. Throws when it asks something. */
  async end(): Promise<RunStatus> {
    for (;;) {
      const status = await this.status();
      if (status.question !== null) throw new Error(`asks ${status.question.id}: ${story(status)}`);
      if (status.outcome !== null) break;
      await delay(LOOK_EVERY_MS);
    }
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
