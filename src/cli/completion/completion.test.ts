import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith, findProgram } from '../../../test/support/skip-unless.js';
import { recordedIo } from '../../../test/golden/scripted-client.js';
import { gpuProvision } from '../program.js';
import { runCli } from '../run-cli.js';
import { type Shell, SHELLS } from './shells.js';

async function script(shell: string): Promise<string> {
  const io = recordedIo();
  expect(await runCli(gpuProvision, ['completion', shell], io)).toBe(0);
  return io.out();
}

/** Of the scripts, and the home of the shells: a person's settings take no part. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'completion-'));
  for (const shell of SHELLS) await writeFile(join(folder, shell), await script(shell));
});
afterAll(() => rm(folder, { recursive: true }));

/** Beside this file, since names of files are completed too. */
async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, args, {
    cwd: import.meta.dirname,
    env: { PATH: process.env['PATH'], HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder, TERM: 'dumb' },
    timeout: SHELL_LIMIT_MS,
  });
  expect(stderr).toBe('');
  return stdout;
}

/** A shell starts in a tenth of a second, on a busy machine in many times that. */
const SHELL_LIMIT_MS = 60_000;

/**
 * What each shell offers when Tab is pressed behind the last word. The product itself is played by a function that says what it was called with.
 */
const COMPLETE: Readonly<Record<Shell, (words: readonly string[]) => Promise<string>>> = {
  /** bash has no way to be asked, so its function is called as bash does. */
  bash: (words) =>
    run('bash', [
      '-c',
      `source ${join(folder, 'bash')}
gpu-provision() { [[ "$1 $2" == "inventory servers" ]] && echo "h100-01 h100-02 from-$3"; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_gpu_provision && printf '%s\\n' "\${COMPREPLY[@]}"`,
      'bash',
      ...words,
    ]),

  /** A terminal of its own, in which Tab is pressed: what its completion adds goes to a file, as it stands after zsh has matched it. */
  zsh: async (words) => {
    const [inner, hits] = [join(folder, 'inner.zsh'), join(folder, 'hits')];
    await writeFile(
      inner,
      `autoload -Uz compinit && compinit -u -d ${join(folder, 'zcompdump')}
source ${join(folder, 'zsh')}
gpu-provision() { [[ "$1 $2" == "inventory servers" ]] && print -l h100-01 h100-02 "from-$3"; }
compadd() {
  # With these it only fills arrays.
  if [[ " \${@[1,(i)(-|--)]} " == *" -"[OAD]" "* ]]; then builtin compadd "$@"; return; fi
  local -a matching
  builtin compadd -O matching "$@"
  print -rl -- $matching >> ${hits}
  builtin compadd "$@"
}
# It asks before it lists more than fits.
setopt NO_AUTO_LIST
: > ${hits}
press() { zle complete-word; print -r -- TAB""-DONE; }
zle -N press
bindkey '^I' press
print READY""-NOW
`,
    );
    const outer = `zmodload zsh/zpty
zpty inner "zsh -f -i"
zpty -w inner "source ${inner}"
zpty -r inner REPLY '*READY-NOW*'
zpty -w -n inner "$1"$'\\t'
zpty -r inner REPLY '*TAB-DONE*'
zpty -d inner`;
    await run('zsh', ['-f', '-c', outer, 'zsh', words.join(' ')]);
    return readFile(hits, 'utf8');
  },

  fish: async (words) => {
    const offered = await run('fish', [
      '--no-config',
      '-c',
      `source ${join(folder, 'fish')}
function gpu-provision; test "$argv[1] $argv[2]" = 'inventory servers'; and printf '%s\\n' h100-01 h100-02 "from-$argv[3]"; end
complete -C $argv[1]`,
      words.join(' '),
    ]);
    // Behind a tab is what it is about.
    return offered.replaceAll(/\t.*/g, '');
  },
};

async function complete(shell: Shell, ...words: readonly string[]): Promise<readonly string[]> {
  const lines = (await COMPLETE[shell](words)).split('\n').filter((line) => line !== '');
  return [...new Set(lines)].toSorted();
}

describe.each(SHELLS)('completion', (shell) => {
  describeWith(`in ${shell}`, [shell], shell, () => {
    it(
      'offers every command that help lists',
      async () => {
        const io = recordedIo();
        await runCli(gpuProvision, ['--help'], io);
        const [, commands = ''] = /Commands:\n(.*?)\n\n/s.exec(io.out()) ?? [];
        const listed = [...commands.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => String(name));
        expect(listed.length).toBeGreaterThan(10);
        expect(await complete(shell, 'gpu-provision', '')).toEqual(listed.filter((name) => name !== 'help').toSorted());
      },
      SHELL_LIMIT_MS,
    );

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
        ['from-', 'h100-01', 'h100-02'],
      ],
      [['gpu-provision', 'status', 'h100-02'], ['h100-02']],
      [['gpu-provision', 'plan', '--inventory', 'lab.yaml', 'from'], ['from-lab.yaml']],
      [['gpu-provision', 'plan', '--di'], ['--diff']],
      [['gpu-provision', 'plan', 'h100-01', '--diff', ''], ['all']],
      [
        ['gpu-provision', 'start', 'h100-01', '--phases', 'k'],
        ['k3s', 'kubevirt'],
      ],
      [['gpu-provision', 'cancel', 'h100-01', '--confirm', 'h100-01'], ['h100-01']],
      [['gpu-provision', 'approve', 'h100-01', '--digest', ''], []],
      [
        ['gpu-provision', 'completion', ''],
        ['bash', 'fish', 'zsh'],
      ],
      [['gpu-provision', 'inventory', 'check', 'completion.t'], ['completion.test.ts']],
      [['gpu-provision', 'set-current-version', ''], []],
      [['gpu-provision', 'frobnicate', '--h'], ['--help']],
      [['start-provision', '--server', 'h100-01'], ['h100-01']],
      [['start-provision', '--server', 'h100-01', '--at'], ['--attach']],
    ] as const)(
      '%j',
      async (words, expected) => {
        expect(await complete(shell, ...words)).toEqual(expected);
      },
      SHELL_LIMIT_MS,
    );
  });
});

it('bash, which cuts at =, offers the value behind it', async () => {
  expect(await complete('bash', 'gpu-provision', 'plan', 'h100-01', '--diff', '=', 'a')).toEqual(['all']);
});

describe('a script for each shell', () => {
  it.each(SHELLS)('%s: a shell that is here can read it', async (shell) => {
    const text = await readFile(join(folder, shell), 'utf8');
    for (const word of ['set-current-version', 'start-provision', 'inventory', 'digest']) expect(text).toContain(word);
    if (findProgram(shell) !== null) execFileSync(shell, ['-n', join(folder, shell)]);
  });
});
