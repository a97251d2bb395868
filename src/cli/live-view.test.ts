import { describe, expect, it } from 'vitest';
import { at, atGate, endings, run, view, waiting } from '../../test/golden/runs.js';
import {
  type Keyboard,
  keyboard,
  recordedIo,
  type RecordedIo,
  scriptedClient,
  type ScriptedClient,
} from '../../test/golden/scripted-client.js';
import type { RunStatus } from '../domain/run/messages.js';
import { gpuProvision } from './program.js';
import { runCli } from './run-cli.js';

interface Watched {
  readonly exit: number;
  readonly io: RecordedIo;
  readonly client: ScriptedClient;
}

/** Watches these states, with a key pressed after each (an empty text presses none). */
async function watching(states: readonly RunStatus[], keys: readonly string[], keyboardOf: Keyboard): Promise<Watched> {
  const io = recordedIo({ terminal: keyboardOf, env: { NO_COLOR: '1' } });
  const client = scriptedClient({
    views: states.map((status) =>
      view(status, at('14:48:47'), status.outcome === 'restored' ? { workflow: 'failed' } : {}),
    ),
    beforeSighting: async (index) => keyboardOf.press(keys[index - 1] ?? ''),
  });
  const exit = await runCli(gpuProvision, ['watch', 'h100-01'], io, async () => client);
  return { exit, io, client };
}

const restored = endings['restored']![0];

describe('the live view', () => {
  it('draws over the frame before, and leaves the summary to stdout', async () => {
    const { exit, io } = await watching([waiting, waiting, restored], [], keyboard([]));
    expect(exit).toBe(3);
    const [first = '', second = ''] = io.err().split('\u001b[J');
    expect(second).toMatch(new RegExp(`^\\u001b\\[${first.split('\n').length - 1}A`));
    // Nothing is wiped before it is written again: that would flicker.
    expect(io.err()).not.toContain('\u001b[2J');
    expect(io.out()).toMatch(/^RESTORED {2}h100-01/);
    expect(io.err()).not.toContain('RESTORED');
  });

  it('approves after a reason and the typed name', async () => {
    const typist = keyboard(['CHG-4711', 'h100-01']);
    const { client, io } = await watching([atGate, waiting, restored], ['a'], typist);
    expect(client.decided).toEqual([
      { choice: 'approve', decision: { gate: 'reboot', digest: '7f3a-91c2', reason: 'CHG-4711', by: 'op-a@ops1' } },
    ]);
    expect(typist.asked).toEqual([
      'reason (a change number will do): ',
      "type the server's name to approve reboot 7f3a-91c2: ",
    ]);
    expect(io.err()).toContain('approved  h100-01 reboot 7f3a-91c2 by op-a@ops1 (asserted), CHG-4711.');
  });

  it.each([
    ['another name', ['CHG-4711', 'h100-02']],
    ['nothing', ['CHG-4711', '']],
    ['Ctrl-C', [null]],
  ])('sends nothing when %s is typed', async (_, answers) => {
    const { client, io } = await watching([atGate, atGate, restored], ['a'], keyboard(answers));
    expect(client.decided).toEqual([]);
    expect(io.err()).toContain('refused   nothing was sent: to approve, type h100-01');
  });

  it('knows no key for what is not asked', async () => {
    const { client } = await watching(
      [waiting, waiting, restored],
      ['a', 'r'],
      keyboard(['x', 'h100-01', 'x', 'h100-01']),
    );
    expect(client.decided).toEqual([]);
  });

  it('offers to try a parked phase again', async () => {
    const question = { ...atGate.question!, id: 'parked:k3s', kind: 'parked' as const, digest: '', expiresAt: null };
    const parked = run({ question });
    const { client } = await watching([parked, parked, restored], ['t'], keyboard(['disk freed', 'h100-01']));
    expect(client.decided).toEqual([
      { choice: 'resume', decision: { gate: 'parked:k3s', reason: 'disk freed', by: 'op-a@ops1' } },
    ]);
  });

  it('shows the diff with hashes', async () => {
    const { io } = await watching([atGate, atGate, restored], ['d'], keyboard(['']));
    expect(io.err()).toContain('+GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT iommu=pt"');
    expect(io.err()).toContain(`${'a'.repeat(16)}  /boot/initrd.img-6.8.0-60-generic`);
  });

  it.each(['q', 'ctrl-c'])('is left with %s, and the run goes on', async (key) => {
    const { exit, io, client } = await watching([atGate, atGate, restored], [key], keyboard([]));
    expect(exit).toBe(130);
    expect(io.err()).toContain('left; the run goes on');
    expect(client.cancelled).toEqual([]);
  });

  it('keeps the keys on the screen of a low terminal', async () => {
    const { io } = await watching([atGate, restored], [], keyboard([], 10));
    const frame = io.err().split('\u001b[J')[0] ?? '';
    expect(frame.split('\n').length - 1).toBe(9);
    expect(frame).toContain('[a]pprove');
  });
});
