/**
 * A Redfish BMC for a virtual machine: the emulator of sushy-tools over HTTPS, whose power is the machine's.
 * @module
 */
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { announcedUrl } from '../../tools/announced-url.js';
import { startChild } from '../../tools/child.js';
import type { Workshop } from '../../tools/workshop.js';
import { FrontPanel, type PoweredMachine } from './front-panel.js';
import type { BmcIdentity } from './ipmi.js';
import { EMULATOR, sushyPython } from './sushy-tools.js';

export interface RedfishBmc {
  /** What the inventory says of it, but for the credentials. */
  readonly spec: { readonly kind: 'redfish'; readonly url: string; readonly tlsFingerprint: string };
  /** Leaves the machine as it is. */
  close(): Promise<void>;
}

/** The BMC answers when the promise resolves. The first time it installs sushy-tools. */
export async function startRedfishBmc(
  machine: PoweredMachine,
  { serial, model, credentials }: BmcIdentity,
  workshop: Workshop,
): Promise<RedfishBmc> {
  const python = await sushyPython(workshop);
  const { private: key, cert } = await generate([{ name: 'commonName', value: `bmc-${serial}` }], { keyType: 'ec' });
  const folder = await mkdtemp(join(tmpdir(), 'redfish-bmc-'));
  const file = (name: string): string => join(folder, name);
  await writeFile(file('key.pem'), key, { mode: 0o600 });
  await writeFile(file('cert.pem'), cert);
  const panel = await FrontPanel.open(machine);
  // -I: nothing of the user's Python reaches it.
  const emulator = startChild([python, '-I', EMULATOR, panel.socket, folder, file('cert.pem'), file('key.pem')], {
    env: { SERIAL: serial, MODEL: model, BMC_USER: credentials.user, BMC_PASSWORD: credentials.password },
  });
  const close = async (): Promise<void> => {
    // It has nothing to save.
    emulator.kill();
    await emulator.exited;
    await panel.close();
    await rm(folder, { recursive: true });
  };
  try {
    const tlsFingerprint = `sha256:${createHash('sha256').update(new X509Certificate(cert).raw).digest('hex')}`;
    return {
      spec: { kind: 'redfish', url: await announcedUrl('the Redfish emulator', emulator), tlsFingerprint },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
