import { randomBytes } from 'node:crypto';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { defaultPayloadConverter, type PayloadCodec } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { EncryptionCodec } from '../codec/encryption-codec.js';
import { readKeyRing } from '../codec/key-ring.js';
import type { HostOutput } from '../domain/run/host-output.js';
import { hostOutput } from './host-output.js';

const said: HostOutput = { kind: 'host-output', command: 'apt-get', lines: ['Setting up lvm2 (2.03.16) ...'] };
const SCHEDULED = 1;
const STARTED = 2;

const codecOf = async (id: string): Promise<PayloadCodec> =>
  new EncryptionCodec(await readKeyRing({ GPU_PROVISION_CODEC_KEYS: 'env:KEYS', KEYS: `${id}:${KEY}` }));
const KEY = randomBytes(32).toString('base64');

/** As describe() answers, with these heartbeats, each of an activity. */
async function described(
  activities: readonly { readonly state: number; readonly details: unknown }[],
  codec: PayloadCodec | null = null,
): Promise<Pick<WorkflowExecutionDescription, 'raw'>> {
  const pendingActivities = await Promise.all(
    activities.map(async ({ state, details }) => {
      const payload = defaultPayloadConverter.toPayload(details);
      const payloads = payload === undefined ? [] : [payload];
      return { state, heartbeatDetails: { payloads: codec === null ? payloads : await codec.encode(payloads) } };
    }),
  );
  return { raw: { pendingActivities } };
}

const clientWith = (...payloadCodecs: readonly PayloadCodec[]): Client =>
  ({
    options: { loadedDataConverter: { payloadCodecs, payloadConverter: defaultPayloadConverter } },
  }) as unknown as Client;

describe('the output of the host in the heartbeat of an activity', () => {
  it('is of the attempt that runs', async () => {
    const other = { state: STARTED, details: 'draining 2 units' };
    expect(await hostOutput(clientWith(), await described([other, { state: STARTED, details: said }]))).toEqual(said);
    expect(await hostOutput(clientWith(), await described([{ state: SCHEDULED, details: said }]))).toBeNull();
    expect(await hostOutput(clientWith(), await described([other]))).toBeNull();
    expect(await hostOutput(clientWith(), { raw: {} })).toBeNull();
  });

  it('is decrypted with the keys of the run, and not there without them', async () => {
    const encrypted = await described([{ state: STARTED, details: said }], await codecOf('a'));
    expect(JSON.stringify(encrypted)).not.toContain(Buffer.from('lvm2').toString('base64').slice(0, 4));
    expect(await hostOutput(clientWith(await codecOf('a')), encrypted)).toEqual(said);
    expect(await hostOutput(clientWith(await codecOf('b')), encrypted)).toBeNull();
    expect(await hostOutput(clientWith(), encrypted)).toBeNull();
  });
});
