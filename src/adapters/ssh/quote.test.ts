import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandLine, quoteWord } from './quote.js';

/** Words as the shell understands them, each ended by NUL, through a real POSIX shell. */
function readBack(line: string): readonly string[] {
  const { stdout, status, stderr } = spawnSync('/bin/sh', ['-c', line]);
  expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: '' });
  return stdout.toString('utf8').split('\0').slice(0, -1);
}

const printWords = ['printf', String.raw`%s\0`];

/** Any Unicode text that can be an argument: no NUL, no lone surrogates (they have no UTF-8 form). */
const argument = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
const SHELL_CHARACTERS = '\'"\\$`!*?[]{}()<>|&;~#= \t\n\r%^-a'.split('');
/** Text made of what shells care about, so that runs are not spent on harmless letters. */
const hostile = fc.string({ unit: fc.constantFrom(...SHELL_CHARACTERS) });

describe('quoting', () => {
  it('gives every argument back unchanged after a real /bin/sh has read it', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(argument, hostile), { minLength: 1, maxLength: 20 }), (words) => {
        expect(readBack(commandLine([...printWords, ...words], { sudo: false }))).toEqual(words);
      }),
      { numRuns: 150 },
    );
  });

  it('survives being quoted twice, as a script handed to another shell is', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 5 }), (words) => {
        const inner = commandLine([...printWords, ...words], { sudo: false });
        expect(readBack(commandLine(['sh', '-c', inner], { sudo: false }))).toEqual(words);
      }),
      { numRuns: 50 },
    );
  });

  it('never leaves a word with a special character bare', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const quoted = quoteWord(text);
        expect(quoted === text).toBe(/^[a%-]+$/.test(text));
      }),
    );
  });

  // bash has keywords that dash lacks; it is the login shell on Ubuntu.
  it.each(['/bin/sh', '/bin/bash'].filter((shell) => existsSync(shell)))(
    'lets %s run a command with the name of a keyword or an assignment instead of giving it a meaning',
    (shell) => {
      for (const name of ['if', 'while', 'function', '!', 'FOO=bar', '~', '{', '[[']) {
        const { status } = spawnSync(shell, ['-c', commandLine([name], { sudo: false })]);
        expect([name, status]).toEqual([name, 127]);
      }
    },
  );

  it('refuses what cannot be an argument vector', () => {
    expect(() => quoteWord('a\0b')).toThrow(RangeError);
    expect(() => commandLine([], { sudo: false })).toThrow(RangeError);
    expect(() => commandLine([''], { sudo: false })).toThrow(RangeError);
  });

  it('reads as people would type it', () => {
    expect(commandLine(['cat', '/proc/cmdline'], { sudo: true })).toBe('LC_ALL=C.UTF-8 sudo -n -- cat /proc/cmdline');
    expect(commandLine(['sh', '-c', "echo 'hi'"], { sudo: false })).toBe(
      String.raw`LC_ALL=C.UTF-8 sh -c 'echo '\''hi'\'''`,
    );
  });
});
