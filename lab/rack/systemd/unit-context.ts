/**
 * What a unit's commands get from it: environment, expanded words, and whether its conditions hold.
 * @module
 */
import type { FileSystem } from '../disk/file-system.js';
import type { Kernel } from '../machine/kernel.js';
import { splitCommand, type UnitFile } from './unit-file.js';

/** Environment= and EnvironmentFile=. */
export function environmentOf(file: UnitFile, fs: FileSystem): Record<string, string> {
  const environment: Record<string, string> = {};
  const lines: string[] = file.all('Service', 'Environment').flatMap((value) => [...splitCommand(value)]);
  for (const path of file.all('Service', 'EnvironmentFile')) {
    lines.push(
      ...(fs.text(path.replace(/^-/, '')) ?? '')
        .split('\n')
        .map((line) => line.trim().replaceAll(/^([A-Z_a-z]\w*)="(.*)"$/g, '$1=$2')),
    );
  }
  for (const line of lines) {
    const at = line.indexOf('=');
    if (at > 0 && !line.startsWith('#')) environment[line.slice(0, at)] = line.slice(at + 1);
  }
  return environment;
}

/** A word of an Exec line with its variables and specifiers; a bare `$NAME` may become several words. */
export function expandWord(
  word: string,
  name: string,
  environment: Readonly<Record<string, string>>,
  kernel: Kernel,
): readonly string[] {
  const whole = /^\$(\w+)$/.exec(word)?.[1];
  if (whole !== undefined) return (environment[whole] ?? '').split(/\s+/).filter((part) => part !== '');
  return [
    word
      .replaceAll(/\$\$|\$\{(\w+)\}/g, (_, variable?: string) =>
        variable === undefined ? '$' : (environment[variable] ?? ''),
      )
      .replaceAll(
        /%([%niHb])/g,
        (_, letter: string) =>
          ({
            '%': '%',
            n: name,
            i: /@(.*)\./.exec(name)?.[1] ?? '',
            H: kernel.machine.name,
            b: kernel.parameters.bootId.replaceAll('-', ''),
          })[letter] ?? '',
      ),
  ];
}

/** The first condition or assertion that doesn't hold; null when all do. */
export function unmetCondition(file: UnitFile, kernel: Kernel): string | null {
  for (const kind of ['Condition', 'Assert'] as const) {
    for (const wanted of file.all('Unit', `${kind}KernelCommandLine`)) {
      const negated = wanted.startsWith('!');
      const word = negated ? wanted.slice(1) : wanted;
      const present = kernel.parameters.commandLine
        .split(/\s+/)
        .some((arg) => arg === word || (!word.includes('=') && arg.startsWith(`${word}=`)));
      if (present === negated) return `${kind}KernelCommandLine=${wanted}`;
    }
    for (const wanted of file.all('Unit', `${kind}PathExists`)) {
      const negated = wanted.startsWith('!');
      if ((kernel.fileSystem(0).entry(negated ? wanted.slice(1) : wanted) !== undefined) === negated)
        return `${kind}PathExists=${wanted}`;
    }
  }
  return null;
}
