/**
 * What may stand after `npm run bench --`.
 * @module
 */
import { BadOption, FLAG, optionValues } from '../lab/tools/options.js';

export const BENCHES = ['overhead', 'whole-run', 'waiting', 'memory'] as const;
export type BenchName = (typeof BENCHES)[number];

export interface BenchOptions {
  /** How often each run is measured. */
  readonly runs: number;
  /** How many runs wait at once where memory is measured. */
  readonly waiting: number;
  readonly only: readonly BenchName[];
  readonly json: boolean;
  /** The page that is written. */
  readonly write: string | null;
  readonly help: boolean;
}

export const USAGE = `npm run bench -- [--runs N] [--waiting N] [--only NAME]... [--json] [--write FILE]

  --runs N      how often a run is measured, default 5
  --waiting N   runs that wait at once where memory is measured, default 1000
  --only NAME   ${BENCHES.join(', ')}; more than once for several; default all
  --json        one JSON object instead of the table
  --write FILE  also write the page, docs/benchmarks.md
`;

export function parseOptions(argv: readonly string[]): BenchOptions {
  const values = optionValues(argv, {
    runs: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true, default: [...BENCHES] },
    waiting: { type: 'string', default: '1000' },
    json: FLAG,
    write: { type: 'string' },
    help: { ...FLAG, short: 'h' },
  });
  return {
    runs: count('--runs', values.runs),
    waiting: count('--waiting', values.waiting),
    only: values.only.map(benchName),
    json: values.json,
    write: values.write ?? null,
    help: values.help,
  };
}

function count(name: string, text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1) return number;
  throw new BadOption(`${name} ${text}: a whole number from 1 on is wanted`);
}

function benchName(text: string): BenchName {
  const name = BENCHES.find((known) => known === text);
  if (name !== undefined) return name;
  throw new BadOption(`--only ${text}: no such benchmark; there are ${BENCHES.join(', ')}`);
}
