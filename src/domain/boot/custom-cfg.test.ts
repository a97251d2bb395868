import { describe, expect, it } from 'vitest';
import { renderCustomCfg } from './custom-cfg.js';
import { parseGrubConfig } from './grub-config.js';

describe('the known-good entry', () => {
  const entry = (args: string): string => {
    const stanza = `menuentry 'Ubuntu' {\n\tlinux /boot/vmlinuz-6.8.0-60-generic ${args}\n\tinitrd /boot/initrd.img-6.8.0-60-generic\n}\n`;
    const [booted] = parseGrubConfig(stanza).entries;
    if (booted === undefined) throw new Error('no entry');
    return renderCustomCfg({ runId: 'r', booted, trial: null, committed: false });
  };

  it.each([
    ['memmap=64K$0x1000', "'memmap=64K$0x1000'"],
    ['isolcpus=1;2', "'isolcpus=1;2'"],
    ['console=ttyS0,115200n8', 'console=ttyS0,115200n8'],
    ['"dyndbg=file a.c +p;', '"dyndbg=file a.c +p;'],
  ])('passes %s on as the kernel got it', (argument, written) => {
    expect(entry(`ro ${argument}`)).toContain(`/vmlinuz ro ${written} gpu-provision.known-good`);
  });
});
