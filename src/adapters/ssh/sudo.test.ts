import { describe, expect, it } from 'vitest';
import { sudoRefusal } from './sudo.js';

const result = (stderr: string, exitCode = 1, stdout = ''): Parameters<typeof sudoRefusal>[0] => ({
  exitCode,
  signal: null,
  stdout,
  stderr,
  truncated: false,
});

describe('a sudo that refuses', () => {
  it.each([
    'sudo: a password is required',
    'sudo: a terminal is required to read the password; either use the -S option to read from standard input',
    'sudo: sorry, you must have a tty to run sudo',
    'ubuntu is not in the sudoers file.',
    'ubuntu is not in the sudoers file.  This incident will be reported.',
    "Sorry, user ubuntu is not allowed to execute '/usr/bin/id' as root on h100-01.",
    'sudo-rs: interactive authentication is required',
  ])('is recognised by: %s', (line) => {
    expect(sudoRefusal(result(`sudo: unable to resolve host h100-01\n${line}\n`))).toBe(line);
  });

  it('is recognised when there is no sudo on the host', () => {
    expect(sudoRefusal(result('bash: line 1: sudo: command not found\n', 127))).toContain('command not found');
    expect(sudoRefusal(result('sh: 1: sudo: not found\n', 127))).toContain('not found');
  });
});

describe('a command that ran', () => {
  it.each<[string, ReturnType<typeof result>]>([
    ['and failed', result('cat: /x: No such file or directory\n')],
    ['and quotes sudo in its output', result('sudo: a password is required\n', 1, 'some output')],
    ['and ended with another code', result('sudo: a password is required\n', 2)],
    ['and succeeded', result('sudo: a password is required\n', 0)],
    ['and was not found', result('sudo: nvidia-smi: command not found\n', 1)],
  ])('%s is not taken for a refusal', (_name, ran) => {
    expect(sudoRefusal(ran)).toBeNull();
  });
});
