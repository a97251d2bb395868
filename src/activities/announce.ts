/**
 * Sends one announcement to every receiver. One that has it, or refuses it, is not asked again by the next attempt.
 * @module
 */
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { FAILURES } from '../domain/run/failures.js';
import type { Announced, AnnounceInput } from '../domain/run/announcement.js';
import { ProvisionError } from '../ports/failure.js';
import type { Notifier } from '../ports/notifier.js';
import { toApplicationFailure } from './define-step.js';

export interface AnnounceActivities {
  announce(input: AnnounceInput): Promise<Announced>;
}

/** By the receiver's place in the list: null when it has it, else why it refuses. Kept between attempts by the heartbeat. */
type Settled = Record<number, string | null>;

export function announceActivities(notifier: Notifier): AnnounceActivities {
  return {
    announce: async ({ notify, announcement }) => {
      const settled: Settled = { ...(activityInfo().heartbeatDetails as Settled | undefined) };
      const signal = cancellationSignal();
      let unreachable: ProvisionError | null = null;
      const sendTo = async (receiver: AnnounceInput['notify'][number], i: number): Promise<void> => {
        try {
          await notifier.send(receiver, announcement, signal);
          settled[i] = null;
        } catch (error) {
          if (!(error instanceof ProvisionError)) throw error;
          const message = `notify[${i}] (${receiver.kind}): ${error.message}`;
          if (FAILURES[error.type].retryable) {
            unreachable = new ProvisionError(error.type, message);
            return;
          }
          settled[i] = message;
        }
        heartbeat(settled);
      };
      await Promise.all(notify.flatMap((receiver, i) => (i in settled ? [] : [sendTo(receiver, i)])));
      if (unreachable !== null) throw toApplicationFailure(unreachable);
      return { refused: Object.values(settled).filter((reason) => reason !== null) };
    },
  };
}
