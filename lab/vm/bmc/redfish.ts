/**
 * A Redfish BMC for a virtual machine: the emulator of sushy-tools over HTTPS, whose power is the machine's.
 * @module
 */
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { startChild, type Child } from '../../tools/child.js';
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

/** Python imports for a second or two, and many seconds on a machine whose cores are all busy. */
const START_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 50;

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
    return { spec: { kind: 'redfish', url: await urlOf(emulator), tlsFingerprint }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Told once it listens. */
async function urlOf(emulator: Child): Promise<string> {
  let ended = false;
  void emulator.exited.then(() => (ended = true));
  const deadline = performance.now() + START_LIMIT_MS;
  for (;;) {
    const url = /Running on (https:\/\/127\.0\.0\.1:\d+)/.exec(emulator.output())?.[1];
    if (url !== undefined) return url;
    if (ended) throw new Error(`the Redfish emulator ended: ${emulator.output()}`);
    if (performance.now() > deadline) throw new Error(`the Redfish emulator does not listen: ${emulator.output()}`);
    await delay(LOOK_EVERY_MS);
  }
}
