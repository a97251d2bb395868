/**
 * What people elsewhere read. A question is shown as `watch` shows it, so that nobody approves by another text.
 * @module
 */
import { ANNOUNCEMENT_VERSION, type Announcement, type Moment } from '../run/announcement.js';
import { workflowId, type RunStatus } from '../run/messages.js';
import { OUTCOMES } from '../run/outcomes.js';
import { phaseOf } from '../run/phases.js';
import { PAST } from '../run/questions.js';
import { wrap } from './layout.js';
import { plain } from './plain.js';
import { renderEnding } from './summary.js';
import { moment as momentOf } from './times.js';
import { openQuestion } from './watch.js';

/** Fits into the code blocks of chats. */
const COLUMNS = 100;

interface Words {
  readonly title: (status: RunStatus) => string;
  readonly details?: (status: RunStatus) => readonly string[];
}

/** `number` counts the announcements of a run from 1. */
export function announcementOf(status: RunStatus, moment: Moment, number: number): Announcement {
  const { server, site, cluster, runId, now, question, outcome } = status;
  const { title, details = () => [] } = WORDS[moment];
  const line = plain(`${server} (${site}, ${cluster}): ${title(status)}`);
  const more = details(status);
  return {
    version: ANNOUNCEMENT_VERSION,
    id: `${runId}/${number}`,
    moment,
    at: now,
    server,
    site,
    cluster,
    workflowId: workflowId(server),
    runId,
    phase: currentPhase(status),
    outcome,
    question:
      question === null
        ? null
        : {
            id: question.id,
            digest: question.digest,
            expiresAt: question.expiresAt,
            reminders: question.reminders,
          },
    title: line,
    text: [...wrap(line, COLUMNS), ...(more.length === 0 ? [] : ['', ...more])].join('\n'),
  };
}

const WORDS: Readonly<Record<Moment, Words>> = {
  started: { title: ({ startedBy }) => `the run begins, started by ${startedBy}` },
  'gate-open': { title: asks('WAITS FOR APPROVAL'), details: asked },
  reminder: { title: asks('STILL WAITS'), details: asked },
  expired: { title: asks('EXPIRED') },
  decision: { title: decided },
  reboot: { title: ({ reboot }) => `reboot ${reboot?.number ?? 1} into the new image was asked for` },
  'fell-back': {
    title: ({ reboot }) =>
      `FELL BACK: the host is in the system that worked before. ${reboot?.outcome?.evidence ?? ''}`,
  },
  parked: { title: ({ failure }) => `PARKED: ${failure?.message ?? ''}`, details: asked },
  'needs-hands': { title: ({ failure }) => `NEEDS HANDS: ${failure?.message ?? ''}`, details: ending },
  outcome: {
    title: ({ outcome }) => (outcome === null ? 'over' : `${outcome.toUpperCase()}: ${OUTCOMES[outcome].means}`),
    details: ending,
  },
};

function asks(words: string): Words['title'] {
  return ({ question }) => {
    if (question === null) return words;
    const digest = question.digest === '' ? '' : ` digest ${question.digest}`;
    const until = question.expiresAt === null ? '' : `, expires ${momentOf(question.expiresAt)}`;
    return `${words}: ${question.id}${digest}${until}`;
  };
}

/** Of a host that needs hands: what to do there says more than what may be answered. */
function asked(status: RunStatus): readonly string[] {
  return status.outcome === null ? openQuestion(status, null, COLUMNS, false) : ending(status);
}

function ending(status: RunStatus): readonly string[] {
  return status.outcome === null ? [] : renderEnding(status, status.outcome, status.now, COLUMNS);
}

function decided({ decisions }: RunStatus): string {
  const receipt = decisions.at(-1);
  if (receipt === undefined) return 'decided';
  const { gate, choice, digest, by, reason } = receipt;
  return [`${gate} ${PAST[choice]}`, digest, `by ${by} (asserted)`, reason].filter((part) => part !== '').join(' ');
}

function currentPhase({ phases }: RunStatus): Announcement['phase'] {
  const begun = phases.filter(({ startedAt }) => startedAt !== null).map(({ name }) => phaseOf(name));
  return begun.toSorted((a, b) => b.number - a.number)[0]?.name ?? null;
}
