import { describe, expect, it } from 'vitest';
import { at, endings, installing, output, view } from '../../test/golden/runs.js';
import { recordedIo, scriptedClient } from '../../test/golden/scripted-client.js';
import type { HostOutput } from '../domain/run/host-output.js';
import { gpuProvision } from './program.js';
import { runCli } from './run-cli.js';

const [provisioned, workflow] = endings['provisioned']!;

/** What is printed to stderr of a run that is watched without a terminal while the host says this. */
async function watched(words: readonly string[], ...said: readonly (HostOutput | null)[]): Promise<readonly string[]> {
  const io = recordedIo();
  const seconds = (second: number): string => at(`14:27:${String(second).padStart(2, '0')}`);
  const views = [
    ...said.map((now, second) => view(installing, seconds(second), { output: now })),
    view({ ...provisioned, events: [] }, at('15:00:00'), { workflow }),
  ];
  await runCli(gpuProvision, ['watch', 'h100-01', ...words], io, async () => scriptedClient({ views }));
  return io.err().trimEnd().split('\n');
}

const grown: HostOutput = { ...output, lines: [...output.lines.slice(1), 'Processing triggers for libc-bin ...'] };

describe('what a host says, without a terminal', () => {
  it('is a line each, told once, whole', async () => {
    const lines = await watched([], output, output, grown, null);
    expect(lines).toEqual([
      ...output.lines.map((line) => `2026-11-24T14:27:00Z h100-01 2/8 node-preparation output ${line}`),
      '2026-11-24T14:27:02Z h100-01 2/8 node-preparation output Processing triggers for libc-bin ...',
    ]);
  });

  it('is a line of JSON each with --json', async () => {
    const lines = await watched(['--json'], { ...output, lines: ['Setting up lvm2', '\u001b]0;title'] });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { server: 'h100-01', number: 2, phase: 'node-preparation', kind: 'output', text: 'Setting up lvm2' },
      { kind: 'output' },
    ]);
    expect(lines.join()).not.toContain('\u001b');
  });
});
