import { describe, expect, it } from 'vitest';
import { ScriptedHost, stepContext } from '../../test/support/scripted-host.js';
import { serverSpec } from '../../test/support/server-spec.js';
import { renderDeadManScript, renderDeadManUnit } from '../domain/boot/dead-man.js';
import { DEAD_MAN_SCRIPT_PATH, DEAD_MAN_UNIT_PATH } from '../domain/host-layout.js';
import { isolationSteps } from './gpu-isolation.js';
import { sha256 } from './host/remote-host.js';
import { HASH_FILES } from './host/scripts.js';

const CONTENT: Readonly<Record<string, string>> = {
  [DEAD_MAN_SCRIPT_PATH]: renderDeadManScript(serverSpec().boot.deadManSeconds),
  [DEAD_MAN_UNIT_PATH]: renderDeadManUnit('run-now'),
};

/** A host where the dead-man is installed, its script on a file system mounted there. */
const installed = (mount: string): ScriptedHost =>
  new ScriptedHost([
    { when: HASH_FILES, answer: (argv) => `${sha256(CONTENT[argv.at(-1) ?? ''] ?? '')}\t${argv.at(-1) ?? ''}\n` },
    { when: /^stat /, answer: (argv) => `${argv.at(-1) === DEAD_MAN_SCRIPT_PATH ? 755 : 644} 0:0\n` },
    { when: /^systemctl is-enabled/, answer: 'enabled\n' },
    { when: `findmnt -n -o TARGET -T ${DEAD_MAN_SCRIPT_PATH}`, answer: `${mount}\n` },
    { when: /^findmnt /, answer: '/\n' },
  ]);

const verify = (host: ScriptedHost): Promise<{ readonly summary: string }> =>
  isolationSteps['isolation.write-dead-man'].verify(stepContext(host));

describe('the installed dead-man', () => {
  it('is good on the root file system', async () => {
    await expect(verify(installed('/'))).resolves.toMatchObject({ summary: expect.stringContaining('1800 s') });
  });

  it('is no good elsewhere: its service waits for no mount', async () => {
    await expect(verify(installed('/etc/gpu-provision'))).rejects.toMatchObject({
      type: 'StepNotVerified',
      message: expect.stringContaining('not on the root file system'),
    });
  });
});
