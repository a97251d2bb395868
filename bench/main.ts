/**
 * `npm run bench`: what a run costs beside the host's own time, what waiting costs, and what many runs cost one worker.
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { startTemporal, type TemporalServer } from '../lab/tools/start-temporal.js';
import { ToolUnavailable } from '../lab/tools/tool.js';
import { EXIT } from '../src/domain/run/outcomes.js';
import { PHASE_NAMES } from '../src/domain/run/phases.js';
import { rowOf, type Figure } from './figures.js';
import { benchMemory } from './memory.js';
import { BadOption } from '../lab/tools/options.js';
import { parseOptions, USAGE, type BenchName, type BenchOptions } from './options.js';
import { benchProvision, HOST_PHASES } from './provision.js';
import { pageOf, textOf, type Machine, type Measurement, type Section } from './render.js';
import { benchWaiting } from './waiting.js';

const GIB = 2 ** 30;

const report = (line: string): void => void process.stderr.write(`bench  ${line}\n`);

const MEASURES: Readonly<Record<BenchName, (options: BenchOptions) => Promise<readonly Figure[]>>> = {
  overhead: ({ runs }) => withTemporal((server) => benchProvision({ ...server, runs, phases: HOST_PHASES })),
  'whole-run': ({ runs }) => withTemporal((server) => benchProvision({ ...server, runs, phases: PHASE_NAMES })),
  waiting: benchWaiting,
  memory: ({ waiting }) => withTemporal((server) => benchMemory(server, waiting, report)),
};

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options.help) {
    process.stdout.write(USAGE);
    return EXIT.done;
  }
  const machine = thisMachine();
  const began = Date.now();
  const sections: Section[] = [];
  for (const bench of options.only) {
    report(bench);
    sections.push({ bench, rows: (await MEASURES[bench](options)).map(rowOf) });
  }
  const measurement: Measurement = {
    command: ['npm run bench', ...(argv.length > 0 ? ['--', ...argv] : [])].join(' '),
    startedAt: new Date(began).toISOString(),
    seconds: (Date.now() - began) / 1_000,
    machine,
    sections,
  };
  process.stdout.write(options.json ? `${JSON.stringify(measurement)}\n` : textOf(measurement));
  if (options.write !== null) await writeFile(options.write, pageOf(measurement));
  return EXIT.done;
}

async function withTemporal<T>(body: (server: TemporalServer) => Promise<T>): Promise<T> {
  const server = await startTemporal();
  try {
    return await body(server);
  } finally {
    await server.stop();
  }
}

function thisMachine(): Machine {
  const cores = cpus();
  return {
    cores: cores.length,
    model: cores[0]?.model.trim() ?? 'unknown CPU',
    memoryGiB: Math.round(totalmem() / GIB),
    node: process.versions.node,
    loadAtStart: loadavg()[0] ?? 0,
  };
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof BadOption || error instanceof ToolUnavailable;
  const text = error instanceof Error ? (expected ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`${text}\n${error instanceof BadOption ? `\n${USAGE}` : ''}`);
  process.exitCode = expected ? EXIT.badInput : EXIT.bug;
}
