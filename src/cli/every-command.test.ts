/**
 * What holds for every command: help with examples that can be typed, and JSON for programs.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preview } from '../../test/golden/preview.js';
import { at, atGate, endings, listed, view } from '../../test/golden/runs.js';
import { recordedIo, type RecordedIo, type Script, scriptedClient } from '../../test/golden/scripted-client.js';
import { asProvisioned } from '../../test/golden/verify.js';
import { startRackSite, type RackSite } from '../../test/support/rack-site.js';
import { everyCommand, isLeaf, pathOf } from './every-command.js';
import { EXAMPLES } from './examples.js';
import { gpuProvision, startProvision } from './program.js';
import { runCli } from './run-cli.js';

const deps = { io: recordedIo(), connect: () => Promise.reject(new Error('not in this test')) };
const PROGRAMS = { 'gpu-provision': gpuProvision, 'start-provision': startProvision };
const programs = () => Object.values(PROGRAMS).map((program) => program(deps, () => undefined));
const LEAVES = programs().flatMap(everyCommand).filter(isLeaf);
const WITH_JSON = LEAVES.filter((command) => command.options.some(({ long }) => long === '--json')).map(pathOf);

/** Two print a log until they are stopped, one a script. */
const WITHOUT_JSON = ['gpu-provision worker', 'gpu-provision codec-server', 'gpu-provision completion'];

let rack: RackSite;
beforeAll(async () => {
  rack = await startRackSite();
}, 60_000);
afterAll(() => rack.close());

async function cli(line: string, script: Script = {}): Promise<{ exit: number; io: RecordedIo }> {
  const [name, ...words] = line.split(' ');
  const io = recordedIo({ env: { GPU_PROVISION_INVENTORY: rack.site.path } });
  const program = PROGRAMS[name as keyof typeof PROGRAMS];
  return { exit: await runCli(program, words, io, async () => scriptedClient(script)), io };
}

/** Of a line for a shell: the words of our own command. */
function ownWords(example: string): readonly string[] {
  const [, words = ''] = /((?:gpu|start)-provision .*?)(?:\)| \d?>| \||$)/.exec(example) ?? [];
  return [...words.matchAll(/"([^"]*)"|\S+/g)].map(([word, inQuotes]) => inQuotes ?? word);
}

describe('examples', () => {
  it('are there for every command, and for no other', () => {
    expect(Object.keys(EXAMPLES).toSorted()).toEqual(programs().flatMap(everyCommand).map(pathOf).toSorted());
  });

  it.each(Object.entries(EXAMPLES).filter(([path]) => LEAVES.some((leaf) => pathOf(leaf) === path)))(
    'in the help of %s can be typed',
    async (path, examples) => {
      const { exit, io } = await cli(`${path} --help`);
      expect(exit).toBe(0);
      for (const example of examples) {
        expect(io.out()).toContain(`  ${example}\n`);
        const [name, ...words] = ownWords(example);
        const reached: string[] = [];
        const program = PROGRAMS[name as keyof typeof PROGRAMS](deps, () => undefined);
        for (const leaf of everyCommand(program).filter(isLeaf)) leaf.action(() => void reached.push(pathOf(leaf)));
        await program.parseAsync(words, { from: 'user' });
        expect(reached, example).toEqual([path]);
      }
    },
  );
});

const [restored] = endings['restored']!;
const gate: Script = { views: [view(atGate, at('14:32:07'))] };
const ended: Script = { views: [view(restored, at('16:10:00'), { workflow: 'failed' })] };

/** A line for each, and the exit code that such a run or host gives. */
const JSON_CASES: Readonly<Record<string, readonly [words: string, exit: number, script: Script]>> = {
  'start-provision': ['--server h100-01', 3, ended],
  'gpu-provision start': ['h100-01 --detach', 0, { workers: 0 }],
  'gpu-provision preflight': ['h100-01', 0, {}],
  'gpu-provision plan': ['h100-01', 7, { preview }],
  'gpu-provision status': ['h100-01', 0, gate],
  'gpu-provision list': ['', 0, { runs: listed }],
  'gpu-provision doctor': ['h100-01', 0, {}],
  'gpu-provision watch': ['h100-01', 3, ended],
  'gpu-provision approve': ['h100-01 --digest 7f3a-91c2', 0, gate],
  'gpu-provision reject': ['h100-01', 0, gate],
  'gpu-provision resume': ['h100-01', 0, gate],
  'gpu-provision cancel': ['h100-01 --confirm h100-01', 0, gate],
  'gpu-provision report': ['h100-01', 0, ended],
  'gpu-provision verify': ['h100-01', 0, { verified: asProvisioned }],
  'gpu-provision reboot': ['h100-01 --detach', 0, { workers: 0 }],
  'gpu-provision upgrade-kernel': ['h100-01 --detach', 0, { workers: 0 }],
  'gpu-provision decommission': ['h100-01 --detach', 0, { workers: 0 }],
  'gpu-provision set-current-version': ['--deployment workers --build-id 2', 0, {}],
  'gpu-provision inventory check': ['', 0, {}],
  'gpu-provision inventory discover': ['ADDRESS', 0, {}],
  'gpu-provision inventory servers': ['', 0, {}],
};

const parsedLines = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

describe('--json', () => {
  it('is an option of every command that has a result', () => {
    expect(Object.keys(JSON_CASES).toSorted()).toEqual(WITH_JSON.toSorted());
    expect(
      LEAVES.map(pathOf)
        .filter((path) => !WITH_JSON.includes(path))
        .toSorted(),
    ).toEqual(WITHOUT_JSON.toSorted());
  });

  it.each(Object.entries(JSON_CASES))(
    'of %s: one object on stdout, and each line on stderr is another',
    async (path, [words, code, script]) => {
      const { host, port } = rack.host.ssh;
      const options = words.replace('ADDRESS', `${host} --port ${port}`);
      const { exit, io } = await cli(`${path} --json${options === '' ? '' : ` ${options}`}`, script);
      expect(exit).toBe(code);
      expect(JSON.parse(io.out())).toBeTypeOf('object');
      for (const line of parsedLines(io.err())) expect(line).toHaveProperty('kind');
    },
    120_000,
  );

  it.each(WITH_JSON)('of %s: bad input is an error in JSON with its exit code', async (path) => {
    const { exit, io } = await cli(`${path} --json --frobnicate`);
    expect({ exit, out: io.out() }).toEqual({ exit: 2, out: '' });
    const message: unknown = expect.stringMatching(/^(unknown option '--frobnicate'|required option )/);
    expect(parsedLines(io.err())).toEqual([{ kind: 'error', exit: 2, message }]);
  });
});
