import { describe, expect, it } from 'vitest';
import { quoteAll, rewriteScript, syntaxError } from './rewrite.js';

const isProgram = (name: string): boolean => ['cat', 'sync'].includes(name);

describe('commands that just-bash would get wrong', () => {
  it.each([
    ['"$@"', 'execve "$@"'],
    ['$cmd a', 'execve $cmd a'],
    ['/usr/local/bin/k3s server', 'execve /usr/local/bin/k3s server'],
    ['k3s --version', 'execve k3s --version'],
    ['x=$(k3s a) || echo no', 'x=$(execve k3s a) || echo no'],
  ])('%s is handed to execve', (text, expected) => {
    expect(rewriteScript(text, isProgram).trim()).toBe(expected);
  });

  it.each([
    'sync -f /x',
    'cat < /a > /b 2>&1',
    'if [ -e "$1" ]; then exit 3; fi',
    'f() { cat; }\nf',
    'set -eu',
    'exec 9> /lock',
  ])('%s is left as it is', (text) => {
    expect(rewriteScript(text, isProgram)).toBe(text);
  });

  it('ends the shell with exec', () => {
    expect(rewriteScript('exec /a/b "$@"\necho never', isProgram)).toContain('execve /a/b "$@"\nexit $?');
  });
});

it('finds syntax errors, as sh -n does', () => {
  expect(syntaxError('if [ a ]; then')).not.toBeNull();
  expect(syntaxError('echo ok')).toBeNull();
});

it('quotes every word so that it stays one', () => {
  expect(quoteAll(['a', "it's", 'b c', '$x', ''])).toBe(`a 'it'\\''s' 'b c' '$x' ''`);
});
