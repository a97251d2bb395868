/**
 * Records a moment and tells people elsewhere. Nothing waits for it: a receiver that is away never holds a host up. Where nobody is to be
 * told nothing is scheduled, and that is decided by the run's input, so that it is the same at replay.
 * @module
 */
import { CancellationScope, condition } from '@temporalio/workflow';
import type { Announcement } from '../domain/run/announcement.js';
import type { QuestionKind } from '../domain/run/questions.js';
import { announcementOf } from '../domain/text/announcement.js';
import { call } from './act.js';
import { record } from './audit.js';
import { secondsOf } from './durations.js';
import { reportFailure, rethrowBug } from './failure.js';
import { increase } from './metrics.js';
import type { Run } from './run.js';

type Told = Announcement['moment'];

/** As the run is at this moment. Cancelling the run does not take it back. */
export function announce(run: Run, moment: Told): void {
  record(run, moment);
  tell(run, moment);
}

/** Tells without recording. */
export function tell(run: Run, moment: Told): void {
  if ((run.input.spec.notify ?? []).length === 0) return;
  run.announced += 1;
  run.announcing += 1;
  const announcement = announcementOf(run.status(), moment, run.announced);
  void CancellationScope.nonCancellable(() => send(run, announcement));
}

/** By what kind of question it is. */
export const OPENED: Readonly<Record<QuestionKind, Told>> = {
  reboot: 'gate-open',
  disks: 'gate-open',
  decommission: 'gate-open',
  parked: 'parked',
  'needs-hands': 'needs-hands',
};

async function send(run: Run, announcement: Announcement): Promise<void> {
  const { notify = [] } = run.input.spec;
  const { moment } = announcement;
  const count = (result: 'delivered' | 'refused' | 'undelivered'): void =>
    increase('gpu_provision_announcements_total', { site: run.site, result });
  try {
    const options = { site: run.site, policy: 'announce', summary: `tell people: ${moment}` } as const;
    const { refused } = await call('announce', { notify, announcement }, options);
    for (const reason of refused) run.event('announce', `${moment}: ${reason}`);
    count(refused.length === 0 ? 'delivered' : 'refused');
  } catch (error) {
    rethrowBug(error);
    count('undelivered');
    run.event('announce', `${moment} was not delivered: ${reportFailure(error, null, null).message}`);
  } finally {
    run.announcing -= 1;
  }
}

/** Before the run closes, which ends what is still being sent. Bounded: who started the run waits for its end. Call in a non-cancellable scope. */
export async function lastAnnouncements(run: Run): Promise<void> {
  if (run.announcing === 0) return;
  const limit = secondsOf.lastAnnouncements * 1_000;
  const summary = 'give up what could not be delivered';
  if (await condition(() => run.announcing === 0, limit, { summary })) return;
  run.event('announce', `the run ends with ${run.announcing} of ${run.announced} announcements not delivered`);
}
