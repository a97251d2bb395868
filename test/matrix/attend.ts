/**
 * A person who answers whatever a run asks, until it ends.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunStatus } from '../../src/domain/run/messages.js';
import type { Choice, OpenQuestion, QuestionKind } from '../../src/domain/run/questions.js';
import { story, type ProvisionRun } from '../support/provision-run.js';

/** A parked phase is given up: nobody has put anything right. */
const ANSWERS: Readonly<Record<Exclude<QuestionKind, 'needs-hands'>, Choice>> = {
  reboot: 'approve',
  disks: 'approve',
  decommission: 'approve',
  parked: 'reject',
};
const LOOK_EVERY_MS = 100;
/** Of one run. A whole platform comes up in less, on two cores that others use too. */
const LIMIT_MS = 40 * 60_000;

export type Answer = (run: ProvisionRun, question: OpenQuestion) => Promise<void>;

export const answer: Answer = async (run, { id, kind, digest }) => {
  if (kind === 'needs-hands') throw new Error(`needs hands: ${story(await run.status())}`);
  await run.decide(ANSWERS[kind], { gate: id, digest, by: 'op-a@ops1', reason: 'matrix' });
};

/** How it ended, whichever way. Throws when it needs hands, and when it does not end. */
export async function attend(run: ProvisionRun, how: Answer = answer): Promise<RunStatus> {
  const late = Date.now() + LIMIT_MS;
  const answered = new Set<string>();
  for (;;) {
    const status = await run.status();
    const { question, outcome } = status;
    if (outcome !== null && outcome !== 'needs-hands') return run.end();
    if (question !== null && !answered.has(question.id)) {
      answered.add(question.id);
      await how(run, question);
    }
    if (Date.now() > late) throw new Error(`does not end: ${story(status)}`);
    await delay(LOOK_EVERY_MS);
  }
}
