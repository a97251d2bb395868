/**
 * How a run ended, in a few lines: what is true now, and what to do next.
 * @module
 */
import type { RunStatus } from '../run/messages.js';
import { OUTCOMES, type Outcome } from '../run/outcomes.js';
import { phaseOf } from '../run/phases.js';
import { PAST } from '../run/questions.js';
import { hasEnded, outcomeOf, type RunView } from '../run/view.js';
import { hang, packed, row, spread } from './layout.js';
import { columns, plain } from './plain.js';
import { duration, secondsBetween, when } from './times.js';

interface Ending {
  readonly title: string;
  /** Figures after the server's name. */
  readonly figures: (status: RunStatus) => readonly string[];
  readonly rows: readonly Row[];
}

type Row = (status: RunStatus, now: string) => readonly Line[];
export interface Line {
  readonly label: string;
  readonly text: string;
}

/** For a run that is over, or waits for hands. */
export function renderSummary(view: RunView, width: number): string[] {
  const outcome = outcomeOf(view);
  if (outcome === null)
    return [...title(WITHOUT_OUTCOME, view.server, [], 1, width), ...rows(AFTER_TERMINATION, width)];
  if (view.status !== null) return renderEnding(view.status, outcome, view.now, width);
  const lines = endingLines(view, outcome);
  return [...title(ENDINGS[outcome].title, view.server, [], OUTCOMES[outcome].exit, width), ...rows(lines, width)];
}

export function titleOf(outcome: Outcome): string {
  return ENDINGS[outcome].title;
}

/** What is true now and what to do next, for a run that is over or waits for hands; empty while it runs. */
export function summaryLines(view: RunView): readonly Line[] {
  const outcome = outcomeOf(view);
  if (outcome !== null) return endingLines(view, outcome);
  return hasEnded(view) ? AFTER_TERMINATION : [];
}

function endingLines({ status, now, known: { failure } }: RunView, outcome: Outcome): readonly Line[] {
  if (status !== null) return ENDINGS[outcome].rows.flatMap((make) => make(status, now));
  return [line('means', OUTCOMES[outcome].means), ...(failure === null ? [] : [line('cause', failure)])];
}

export function renderEnding(status: RunStatus, outcome: Outcome, now: string, width: number): string[] {
  const ending = ENDINGS[outcome];
  const cancelled = status.failure?.type === 'Cancelled' && outcome !== 'needs-hands';
  const name = cancelled ? 'CANCELLED' : ending.title;
  return [
    ...title(name, status.server, ending.figures(status), OUTCOMES[outcome].exit, width),
    ...rows(
      ending.rows.flatMap((make) => make(status, now)),
      width,
    ),
    ...(outcome === 'needs-hands' ? handsOn(status, width) : []),
  ];
}

export const WITHOUT_OUTCOME = 'ENDED FROM OUTSIDE';
const AFTER_TERMINATION: readonly Line[] = [
  { label: 'now', text: 'unknown: a run that is terminated or reset undoes nothing. The host may be half changed.' },
  { label: 'next', text: 'start it again: the new run finds the open ledger of this one and undoes it first.' },
];

const line = (label: string, text: string): Line => ({ label, text });

const cause: Row = ({ failure }) => (failure === null ? [] : [line('cause', `${where(failure)}${failure.message}`)]);
const findings: Row = (status) => status.findings.map(({ area, text }) => line(area, text));
const say =
  (label: string, text: (status: RunStatus) => string): Row =>
  (status) => [line(label, text(status))];
const decisions: Row = ({ decisions: receipts }, now) =>
  receipts.map((receipt) => {
    const { choice, by, at, reason, digest, gate } = receipt;
    const parts = [`${by} (asserted) ${when(at, now)}`, reason, digest === '' ? gate : `${gate} digest ${digest}`];
    return line(PAST[choice], parts.filter((part) => part !== '').join(', '));
  });
/** What each phase said, where the run recorded nothing more exact about the end. */
const phases: Row = (status) =>
  status.findings.length > 0
    ? []
    : status.phases.flatMap(({ name, state, summary }) =>
        state === 'pending' || summary === '' ? [] : [line(phaseOf(name).title, summary)],
      );
const remains: Row = (status) => {
  if (status.findings.some(({ area }) => area === 'remains')) return [];
  const stays = status.phases.filter(
    ({ name, state }) => state === 'done' && name !== 'preflight' && phaseOf(name).afterFailure === 'parks',
  );
  const names = stays.map(({ name, summary }) =>
    summary === '' ? phaseOf(name).title : `${phaseOf(name).title} (${summary})`,
  );
  return names.length === 0 ? [] : [line('remains', names.join('; '))];
};

const LOOK_AGAIN = ({ server, purpose }: RunStatus): string =>
  purpose === undefined
    ? `solve it, look again: start-provision --server ${server} --dry-run`
    : `solve it, then again: gpu-provision ${purpose} ${server}`;
const GO_ON = ({ server, purpose }: RunStatus): string =>
  purpose === undefined ? `start-provision --server ${server}` : `gpu-provision ${purpose} ${server}`;
const AGAIN = 'start again: a new plan needs a new approval';

/** Rows are in the order in which they are printed. */
const ENDINGS: Readonly<Record<Outcome, Ending>> = {
  provisioned: {
    title: 'PROVISIONED',
    figures: (s) => [elapsed(s), `reboots ${reboots(s)}, undone ${s.compensations.length}`],
    rows: [findings, phases, decisions],
  },
  decommissioned: {
    title: 'DECOMMISSIONED',
    figures: (s) => [elapsed(s), rebootFigures(s)],
    rows: [findings, decisions, say('next', (s) => `isolate them again: start-provision --server ${s.server}`)],
  },
  rebooted: {
    title: 'REBOOTED',
    figures: (s) => [elapsed(s), rebootFigures(s)],
    rows: [findings, decisions, say('next', (s) => `compare everything else: gpu-provision verify ${s.server}`)],
  },
  upgraded: {
    title: 'UPGRADED',
    figures: (s) => [elapsed(s), rebootFigures(s)],
    rows: [findings, decisions, say('next', (s) => `compare everything else: gpu-provision verify ${s.server}`)],
  },
  restored: {
    title: 'RESTORED',
    figures: (s) => [elapsed(s), rebootFigures(s)],
    rows: [cause, findings, remains, decisions, say('next', () => `read the cause, then ${AGAIN}`)],
  },
  'needs-hands': {
    title: 'NEEDS HANDS',
    figures: (s) => [elapsed(s), rebootFigures(s)],
    rows: [cause, known],
  },
  rejected: {
    title: 'REJECTED',
    figures: (s) => [elapsed(s), rebootFigures(s)],
    rows: [decisions, say('now', () => `${OUTCOMES.rejected.means}.`), findings, remains, say('next', () => AGAIN)],
  },
  expired: {
    title: 'EXPIRED',
    figures: (s) => [elapsed(s), rebootFigures(s)],
    rows: [cause, say('now', () => `${OUTCOMES.expired.means}.`), findings, remains, say('next', () => AGAIN)],
  },
  incomplete: {
    title: 'INCOMPLETE',
    figures: (s) => [elapsed(s), rebootFigures(s)],
    rows: [cause, findings, remains, decisions, say('next', (s) => `a new start goes on from there: ${GO_ON(s)}`)],
  },
  refused: {
    title: 'REFUSED',
    figures: (s) => [elapsed(s)],
    rows: [cause, say('now', () => 'nothing was changed'), findings, say('next', LOOK_AGAIN)],
  },
};

function title(name: string, server: string, figures: readonly string[], exit: number, width: number): string[] {
  const lines = packed(figures, `${name}  ${server}   `, width);
  const last = lines.pop() ?? '';
  return [...lines, ...spread(last, `exit ${exit}`, width, '  ')];
}

/** Columns of labels: as in `  cause     `, and what longer ones need. */
const LABEL_COLUMNS = { least: 10, most: 16 };

function rows(lines: readonly Line[], width: number): string[] {
  const longest = Math.max(0, ...lines.map(({ label }) => columns(plain(label))));
  const labelWidth = Math.min(LABEL_COLUMNS.most, Math.max(LABEL_COLUMNS.least, longest + 1));
  return lines.flatMap(({ label, text }, i) =>
    row(label === lines[i - 1]?.label ? '' : label, text, width, labelWidth),
  );
}

function elapsed(status: RunStatus): string {
  const total = duration(secondsBetween(status.startedAt, status.endedAt ?? status.now));
  return status.waitedSeconds < 1 ? total : `${total} (${duration(status.waitedSeconds)} waiting for approval)`;
}

const reboots = ({ counts }: RunStatus): number => counts.forwardReboots + counts.undoReboots;

function rebootFigures(status: RunStatus): string {
  const { forwardReboots, undoReboots, powerCycles } = status.counts;
  const split = reboots(status) === 0 ? '' : ` (${forwardReboots} forward, ${undoReboots} undo)`;
  return `reboots ${reboots(status)}${split}, power cycles ${powerCycles}`;
}

function where({ phase, step }: { readonly phase: string | null; readonly step: string | null }): string {
  return step === null ? (phase === null ? '' : `${phase}: `) : `${step}: `;
}

function known(status: RunStatus): readonly Line[] {
  const { reboot, plan } = status;
  const facts = [
    reboot?.bmc === null || reboot?.bmc === undefined ? null : `BMC: ${reboot.bmc}`,
    reboot?.console === null || reboot?.console === undefined ? null : `last console line "${reboot.console}"`,
    reboot?.outcome === null || reboot?.outcome === undefined
      ? null
      : `${reboot.outcome.kind}: ${reboot.outcome.evidence}`,
    plan?.strategy === 'known-good' ? 'default = known-good' : null,
  ].filter((fact) => fact !== null);
  return [
    ...(facts.length === 0 ? [] : [line('known', facts.join('; '))]),
    ...status.findings.map(({ area, text }) => line(area, text)),
  ];
}

function handsOn({ instructions }: RunStatus, width: number): string[] {
  const steps = instructions.map((text, i) => `${i + 1} ${text}`);
  const label = '  do        ';
  return [
    ...(steps.length === 0 ? [] : packed(steps, label, width, '  ')),
    ...hang(' '.repeat(label.length), '(the run waits, without limit)', width),
    ...row('not', 'terminate the run: that undoes nothing', width),
  ];
}
