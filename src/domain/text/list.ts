/**
 * Many runs, one line each: first those that wait for a person.
 * @module
 */
import { PHASES } from '../run/phases.js';
import type { ListedRun } from '../run/view.js';
import { spread } from './layout.js';
import { columns, plain } from './plain.js';
import { titleOf, WITHOUT_OUTCOME } from './summary.js';
import { duration, secondsBetween, when } from './times.js';
import { count } from './words.js';

interface Group {
  readonly holds: (run: ListedRun) => boolean;
  /** In the last line. */
  readonly words: (n: number) => string;
}

const running = (run: ListedRun): boolean => run.workflow === 'running';
const needsHands = (run: ListedRun): boolean => running(run) && run.known.outcome === 'needs-hands';
const asks = (run: ListedRun): boolean => running(run) && !needsHands(run) && run.known.gate !== null;

/** In the order in which they are printed. */
const GROUPS: readonly Group[] = [
  { holds: needsHands, words: (n) => `${n} ${n === 1 ? 'needs' : 'need'} hands` },
  { holds: asks, words: (n) => `${n} ${n === 1 ? 'waits' : 'wait'} for an answer` },
  { holds: (run) => running(run) && !needsHands(run) && !asks(run), words: (n) => `${n} under way` },
  { holds: (run) => !running(run), words: (n) => `${n} over` },
];

export function renderList(runs: readonly ListedRun[], now: string, width: number): string[] {
  if (runs.length === 0) return ['no run'];
  const groups = GROUPS.map(({ holds, words }) => ({ found: runs.filter(holds), words }));
  const states = groups.flatMap(({ found }) => found).map((run) => ({ run, state: stateOf(run) }));
  const stateColumns = widest(states.map(({ state }) => state));
  const nameColumns = widest(runs.map(({ server }) => server));
  const placeColumns = widest(runs.map(placeOf));
  const figures = groups.filter(({ found }) => found.length > 0).map(({ found, words }) => words(found.length));
  return [
    ...states.flatMap(({ run, state }) => {
      const cells = [padded(state, stateColumns), padded(run.server, nameColumns), padded(placeOf(run), placeColumns)];
      const { startedAt, startedBy } = run.known;
      const left = [...cells, doing(run, now)].join('  ').trimEnd();
      return spread(left, `started ${when(startedAt, now)} by ${startedBy}`, width, '    ');
    }),
    '',
    `${count(runs.length, 'run')}: ${figures.join(', ')}`,
  ];
}

const placeOf = ({ known }: ListedRun): string =>
  known.cluster === '' ? known.site : `${known.site}/${known.cluster}`;

function stateOf(run: ListedRun): string {
  const { outcome, gate } = run.known;
  // A run that needed hands and was terminated keeps that attribute.
  if (outcome === 'needs-hands') return running(run) ? titleOf(outcome) : WITHOUT_OUTCOME;
  if (run.workflow === 'cancelled') return 'CANCELLED';
  if (!running(run)) return outcome === null ? WITHOUT_OUTCOME : titleOf(outcome);
  return gate === null ? 'running' : `GATE ${gate}`;
}

function doing(run: ListedRun, now: string): string {
  const { phase, endedAt } = run.known;
  if (endedAt !== null) return `ended ${when(endedAt, now)}`;
  if (needsHands(run) || asks(run)) {
    return run.gateOpenedAt === null ? 'open' : `open ${duration(secondsBetween(run.gateOpenedAt, now))}`;
  }
  const known = PHASES.find(({ name }) => name === phase);
  return known === undefined ? 'not begun' : `phase ${known.number} ${known.title}`;
}

const widest = (texts: readonly string[]): number => Math.max(...texts.map((text) => columns(plain(text))));
const padded = (text: string, to: number): string => `${plain(text)}${' '.repeat(to - columns(plain(text)))}`;
