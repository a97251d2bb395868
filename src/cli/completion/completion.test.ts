import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../../test/support/skip-unless.js';
import { recordedIo } from '../../../test/golden/scripted-client.js';
import { gpuProvision } from '../program.js';
import { runCli } from '../run-cli.js';
import { SHELLS } from './shells.js';

async function script(shell: string): Promise<string> {
  const io = recordedIo();
  expect(await runCli(gpuProvision, ['completion', shell], io)).toBe(0);
  return io.out();
}

describe('completion in bash', () => {
  let text: string;
  beforeAll(async () => {
    text = await script('bash');
  });

  /** As bash asks when Tab is pressed behind the last word. The product itself is played by a function that says what it was called with. */
  async function complete(...words: readonly string[]): Promise<readonly string[]> {
    const driver = `${text}
gpu-provision() { [[ "$1 $2" == "inventory servers" ]] && echo "h100-01 h100-02 from-$3"; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_gpu_provision && printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', driver, 'bash', ...words], {
      cwd: import.meta.dirname,
    });
    expect(stderr).toBe('');
    return stdout.split('\n').filter((line) => line !== '');
  }

  it('offers every command that help lists', async () => {
    const io = recordedIo();
    await runCli(gpuProvision, ['--help'], io);
    const [, commands = ''] = /Commands:\n(.*?)\n\n/s.exec(io.out()) ?? [];
    const listed = [...commands.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => String(name));
    expect(listed.length).toBeGreaterThan(10);
    const offered = await complete('gpu-provision', '');
    expect(offered.toSorted()).toEqual(listed.filter((name) => name !== 'help').toSorted());
  });

  it.each([
    [
      ['gpu-provision', 'sta'],
      ['start', 'status'],
    ],
    [
      ['/usr/bin/gpu-provision', 'inventory', ''],
      ['check', 'discover', 'servers'],
    ],
    [
      ['gpu-provision', 'status', ''],
      ['h100-01', 'h100-02', 'from-'],
    ],
    [['gpu-provision', 'status', 'h100-02'], ['h100-02']],
    [['gpu-provision', 'plan', '--inventory', 'lab.yaml', 'from'], ['from-lab.yaml']],
    [['gpu-provision', 'plan', '--di'], ['--diff']],
    [['gpu-provision', 'plan', 'h100-01', '--diff', ''], ['all']],
    [['gpu-provision', 'plan', 'h100-01', '--diff', '=', 'a'], ['all']],
    [
      ['gpu-provision', 'start', 'h100-01', '--phases', 'k'],
      ['k3s', 'kubevirt'],
    ],
    [['gpu-provision', 'cancel', 'h100-01', '--confirm', 'h100-01'], ['h100-01']],
    [['gpu-provision', 'approve', 'h100-01', '--digest', ''], []],
    [
      ['gpu-provision', 'completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['gpu-provision', 'inventory', 'check', 'completion.t'], ['completion.test.ts']],
    [['gpu-provision', 'set-current-version', ''], []],
    [['gpu-provision', 'frobnicate', '--h'], ['--help']],
    [['start-provision', '--server', 'h100-01'], ['h100-01']],
    [['start-provision', '--server', 'h100-01', '--at'], ['--attach']],
  ] as const)('%j', async (words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });
});

describe('a script for each shell', () => {
  it.each(SHELLS)('%s: a shell that is here can read it', async (shell) => {
    const text = await script(shell);
    for (const word of ['set-current-version', 'start-provision', 'inventory', 'digest']) expect(text).toContain(word);
    if (findProgram(shell) !== null) execFileSync(shell, ['-n'], { input: text });
  });
});
