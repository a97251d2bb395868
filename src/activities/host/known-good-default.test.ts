import { describe, expect, it } from 'vitest';
import { GRUB_CFG } from '../../domain/host-layout.js';
import type { ExecResult, Host } from '../../ports/host.js';
import { checkCustomCfgIsRead } from './known-good-default.js';
import { RemoteHost } from './remote-host.js';

/** What 41_custom of grub-common 2.12 writes. */
const FROM_41_CUSTOM = `if [ -f  \${config_directory}/custom.cfg ]; then
  source \${config_directory}/custom.cfg
elif [ -z "\${config_directory}" -a -f  $prefix/custom.cfg ]; then
  source $prefix/custom.cfg
fi
`;

function hostWith(grubCfg: string): { host: RemoteHost } {
  const exec: Host['exec'] = (argv): Promise<ExecResult> => {
    expect(argv).toEqual(['cat', GRUB_CFG]);
    return Promise.resolve({ exitCode: 0, signal: null, stdout: grubCfg, stderr: '', truncated: false });
  };
  const host: Host = { exec, execFresh: exec, openStream: () => Promise.reject(new Error('no stream in this test')) };
  return { host: new RemoteHost(host, { id: 'run', epoch: 1 }, new AbortController().signal, () => {}) };
}

describe('a known-good default in custom.cfg', () => {
  it('counts where grub.cfg reads custom.cfg', async () => {
    await expect(checkCustomCfgIsRead(hostWith(`set default="0"\n${FROM_41_CUSTOM}`))).resolves.toBeUndefined();
  });

  it('counts nothing where 41_custom was taken away: the image just built would be the default', async () => {
    await expect(checkCustomCfgIsRead(hostWith('set default="0"\n# see custom.cfg\n'))).rejects.toMatchObject({
      type: 'StepNotVerified',
    });
  });
});
