/**
 * What is measured, as numbers: intervals and what they cover, values and their median.
 * @module
 */

/** Milliseconds since 1970. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** Values of one quantity, one for each time it was measured. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
}

export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly n: number;
}

export const duration = ({ from, to }: Interval): number => to - from;

/** How much of `whole` lies in at least one of the intervals, which may overlap and reach beyond it. */
export function covered(whole: Interval, intervals: readonly Interval[]): number {
  let sum = 0;
  let reached = whole.from;
  for (const { from, to } of intervals.toSorted((a, b) => a.from - b.from)) {
    const begin = Math.max(from, reached);
    const end = Math.min(to, whole.to);
    if (end <= begin) continue;
    sum += end - begin;
    reached = end;
  }
  return sum;
}

/** The mean of the two in the middle of an even number of values. Throws RangeError for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new RangeError('no values, so there is no median');
  return (lower + upper) / 2;
}

export function rowOf({ name, unit, values }: Figure): Row {
  return { name, unit, median: median(values), min: Math.min(...values), max: Math.max(...values), n: values.length };
}

/** Figures of several runs, each with the same names, as one figure for each name. */
export function merged(runs: readonly (readonly Figure[])[]): readonly Figure[] {
  const byName = new Map<string, Figure>();
  for (const figure of runs.flat()) {
    const known = byName.get(figure.name);
    byName.set(figure.name, { ...figure, values: [...(known?.values ?? []), ...figure.values] });
  }
  return [...byName.values()];
}
