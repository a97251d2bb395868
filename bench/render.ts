/**
 * A measurement as text for a terminal, and as the page that is committed.
 * @module
 */
import type { Row } from './figures.js';
import type { BenchName } from './options.js';

export interface Machine {
  readonly cores: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly node: string;
  /** Of the minute before. */
  readonly loadAtStart: number;
}

export interface Section {
  readonly bench: BenchName;
  readonly rows: readonly Row[];
}

export interface Measurement {
  readonly command: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly machine: Machine;
  readonly sections: readonly Section[];
}

/** More runnable processes than this for each core, and times say more about them than about us. */
const BUSY_LOAD_PER_CORE = 0.5;

interface About {
  readonly title: string;
  /** For the page: what exactly is measured. */
  readonly how: string;
}

const RUN =
  "A server of the simulated rack, over real SSH, by the product's worker as a process of its own on a real Temporal dev server; each run has a new server. The rack notes when a command, a transient unit or a boot of its host begins and ends; the rest is in the run's history. Each time is the length of a union of intervals, so what happens at once counts once. A simulated host takes milliseconds for what a real one takes minutes for: the overhead is what stays.";

const ABOUT: Readonly<Record<BenchName, About>> = {
  overhead: { title: 'phases 1, 2 and 4, which need only the host', how: RUN },
  'whole-run': {
    title: 'all eight phases',
    how: 'The same with a real Kubernetes API server. While a step waits for the cluster counts as the cluster, its retries included.',
  },
  waiting: {
    title: 'what waiting adds to a history',
    how: "On Temporal's time-skipping server, with the product's workflows and a modelled server: the events and bytes that the history has more after so many hours. Looking for a host that is away is one activity, whose attempts leave no events. A reminder is a timer and a workflow task; while the approval is open it also reads whether the plan is still true.",
  },
  memory: {
    title: 'one worker, many runs that wait for their approval',
    how: "Resident memory (VmRSS) of the product's worker, which serves the workflow queue and a site without hosts; the activities of the modelled servers run in another process. It keeps 500 runs in memory: one that has waited longer is replayed from its history when it is approved. Measured from the decision until the next activity begins.",
  },
};

export function machineLine({ cores, model, memoryGiB, node, loadAtStart }: Machine): string {
  return `${cores} cores (${model}), ${memoryGiB} GiB, Node ${node}, load ${loadAtStart.toFixed(1)} at the start${
    loadAtStart > cores * BUSY_LOAD_PER_CORE ? ': BUSY, times are not to be trusted' : ''
  }`;
}

export function summaryLine({ sections, seconds }: Measurement): string {
  return `${sections.reduce((sum, { rows }) => sum + rows.length, 0)} figures in ${Math.round(seconds)} s`;
}

const HEAD = ['name', 'unit', 'median', 'min', 'max', 'n'];

function cells({ name, unit, median, min, max, n }: Row): readonly string[] {
  return [name, unit, shown(median), shown(min), shown(max), String(n)];
}

/** Three digits that mean something, and every digit before the point. */
export function shown(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(3, digits));
}

export function textOf(measurement: Measurement): string {
  const lines = measurement.sections.flatMap(({ rows }) => rows.map(cells));
  const widths = HEAD.map((_, at) => Math.max(...[HEAD, ...lines].map((line) => line[at]?.length ?? 0)));
  const line = (words: readonly string[]): string =>
    words
      .map((word, at) => (at < 2 ? word.padEnd(widths[at] ?? 0) : word.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return [
    machineLine(measurement.machine),
    '',
    line(HEAD),
    ...measurement.sections.flatMap(({ bench, rows }) => [
      '',
      `# ${ABOUT[bench].title}`,
      ...rows.map((row) => line(cells(row))),
    ]),
    '',
    summaryLine(measurement),
    '',
  ].join('\n');
}

export function pageOf(measurement: Measurement): string {
  const { command, startedAt, machine, sections } = measurement;
  return [
    '# Benchmarks',
    '',
    `Written by \`${command}\` on ${startedAt.slice(0, 10)}: ${machineLine(machine)}; ${summaryLine(measurement)}.`,
    ...sections.flatMap(({ bench, rows }) => [
      '',
      `## ${bench}: ${ABOUT[bench].title}`,
      '',
      ABOUT[bench].how,
      '',
      ...table(rows),
    ]),
    '',
  ].join('\n');
}

/** As Prettier sets tables, so that the page passes its check. */
function table(rows: readonly Row[]): readonly string[] {
  const lines = rows.map(cells);
  const widths = HEAD.map((_, at) => Math.max(3, ...[HEAD, ...lines].map((line) => line[at]?.length ?? 0)));
  const pad = (word: string, at: number): string =>
    at < 2 ? word.padEnd(widths[at] ?? 0) : word.padStart(widths[at] ?? 0);
  const rule = widths.map((width, at) => (at < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [HEAD.map(pad), rule, ...lines.map((line) => line.map(pad))].map((line) => `| ${line.join(' | ')} |`);
}
