/**
 * What people elsewhere and the audit record read. A question is shown as `watch` shows it, so that nobody approves by another text.
 * @module
 */
import { UNDO_ALLOWANCE } from '../boot/plan.js';
import { ANNOUNCEMENT_VERSION, type Announcement, type AuditEntry, type Moment } from '../run/announcement.js';
import { workflowId, type RunStatus } from '../run/messages.js';
import { OUTCOMES } from '../run/outcomes.js';
import { phaseOf } from '../run/phases.js';
import { PAST } from '../run/questions.js';
import { entersWhatIsProven, enteredBy } from './boot-state.js';
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
export function announcementOf(status: RunStatus, moment: Announcement['moment'], number: number): Announcement {
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

/** `number` counts the entries of a run from 1. */
export function auditEntryOf(status: RunStatus, moment: Moment, number: number): AuditEntry {
  const { server, site, runId, now } = status;
  return {
    id: `${runId}:${number}`,
    at: now,
    run: runId,
    server,
    site,
    what: moment,
    who: whoDid(status, moment),
    digest: digestOf(status, moment),
    text: plain(WORDS[moment].title(status)),
  };
}

function whoDid({ startedBy, decisions }: RunStatus, moment: Moment): string | null {
  if (moment === 'started') return startedBy;
  return moment === 'decision' ? (decisions.at(-1)?.by ?? null) : null;
}

/** Of what is asked or answered; else of the plan that the run acts by. */
function digestOf({ question, decisions, plan }: RunStatus, moment: Moment): string | null {
  const about = moment === 'decision' ? decisions.at(-1) : question;
  return (about === undefined || about === null ? plan?.digest : about.digest) || null;
}

/** After a reboot of a provisioned server has failed, those that the approval allowed besides lead on or back. */
function whatFor(status: RunStatus): string {
  if (status.reboot?.purpose !== 'undo') return `into ${enteredBy(status)}`;
  return entersWhatIsProven(status) ? 'of those allowed besides' : 'to end an undo';
}

const WORDS: Readonly<Record<Moment, Words>> = {
  started: { title: ({ startedBy }) => `the run begins, started by ${startedBy}` },
  'gate-open': { title: asks('WAITS FOR APPROVAL'), details: asked },
  reminder: { title: asks('STILL WAITS'), details: asked },
  expired: { title: asks('EXPIRED') },
  decision: { title: decided },
  reboot: { title: (status) => `reboot ${status.reboot?.number ?? 1} ${whatFor(status)} was asked for` },
  'graceful-restart': { title: () => 'a restart of the silent host was asked of the BMC' },
  'power-cycle': {
    title: ({ counts }) => `power cycle ${counts.powerCycles} of ${UNDO_ALLOWANCE.powerCycles} was asked of the BMC`,
  },
  'power-on': { title: () => 'the BMC was asked to turn on the host, which was off' },
  'fell-back': {
    title: ({ reboot }) =>
      `FELL BACK: the host is in the system that worked before. ${reboot?.outcome?.evidence ?? ''}`,
  },
  committed: { title: () => 'the boot is proven, and its entry the default' },
  restored: { title: () => 'what was staged is undone, the host verified to be as before' },
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
