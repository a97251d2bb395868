import { describe, expect, it } from 'vitest';
import { comparableArguments, kernelArguments, parseGrubConfig, readsCustomCfg } from './grub-config.js';

function argumentsOf(written: string): readonly string[] {
  const [entry] = parseGrubConfig(
    `menuentry 'Ubuntu' {\n\tlinux /boot/vmlinuz-6.8.0-60-generic ${written}\n}\n`,
  ).entries;
  if (entry === undefined) throw new Error('no entry');
  return kernelArguments(entry);
}

/** As grub.cfg has it, and as /proc/cmdline shows it then. */
const SHOWN: readonly (readonly [written: string, shown: string])[] = [
  ['root=UUID=1c2e ro  quiet', 'root=UUID=1c2e ro quiet'],
  ['ro memmap=64K\\$0x1000', 'ro memmap=64K$0x1000'],
  ["ro 'memmap=64K$0x1000'", 'ro memmap=64K$0x1000'],
  ['ro "memmap=64K\\$0x1000"', 'ro memmap=64K$0x1000'],
  ['ro "dyndbg=file drivers/x +p" quiet', 'ro "dyndbg=file drivers/x +p" quiet'],
  ['ro dyndbg="file drivers/x +p" quiet', 'ro "dyndbg=file drivers/x +p" quiet'],
  ["ro isolcpus='1;2'", 'ro isolcpus=1;2'],
  ['ro isolcpus=1\\;2', 'ro isolcpus=1;2'],
  ['ro x=\\"y\\"', 'ro x=\\"y\\"'],
  ['ro x=\\"y\\"', 'ro x="y"'],
  ['ro x=a\\\\b', 'ro x=a\\\\b'],
  ['ro quiet splash $vt_handoff', 'ro quiet splash'],
  ['ro "$vt_handoff" ${extra} quiet', 'ro quiet'],
];

describe('the arguments of an entry', () => {
  it.each(SHOWN)('%s reach the kernel as %s', (written, shown) => {
    expect(argumentsOf(written)).toEqual(comparableArguments(shown));
  });

  it.each([
    ['ro a=1', 'ro a=2'],
    ["ro 'a b'", 'ro a b'],
    ['root=$rootdev ro', 'root=/dev/sda1 ro'],
  ])('%s is not taken for %s', (written, shown) => {
    expect(argumentsOf(written)).not.toEqual(comparableArguments(shown));
  });
});

describe('whether custom.cfg is read', () => {
  it.each([
    ['as 41_custom writes it', '  source ${config_directory}/custom.cfg\n', true],
    ['by its path', 'source $prefix/custom.cfg', true],
    ['not where it is only asked for', 'if [ -f  ${config_directory}/custom.cfg ]; then\nfi\n', false],
    ['not in a comment', '# source ${config_directory}/custom.cfg\n', false],
    ['not another file', 'source $prefix/my-custom.cfg.d', false],
  ])('%s', (_how, text, read) => {
    expect(readsCustomCfg(text)).toBe(read);
  });
});
