import { createDecipheriv, randomBytes } from 'node:crypto';
import { ApplicationFailure, defaultPayloadConverter, type Payload } from '@temporalio/common';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EncryptionCodec } from './encryption-codec.js';
import { failureConverter } from './failure-converter.js';
import { CodecError, readKeyRing } from './key-ring.js';

const line = (id: string): string => `${id}: ${randomBytes(32).toString('base64')}`;
const OLD = line('2026-05');
const NEW = line('2026-11');

/** As a process with these lines in its environment would have it. */
async function codecOf(...lines: readonly string[]): Promise<EncryptionCodec> {
  const env = lines.length === 0 ? {} : { GPU_PROVISION_CODEC_KEYS: 'env:KEYS', KEYS: lines.join('\n') };
  return new EncryptionCodec(await readKeyRing(env));
}

const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString();

async function encrypted(value: unknown, ...lines: readonly string[]): Promise<Payload> {
  const [payload] = await (await codecOf(...lines)).encode([payloadOf(value)]);
  return payload ?? {};
}

async function refusal(payload: Payload, ...lines: readonly string[]): Promise<string> {
  const codec = await codecOf(...lines);
  const error: unknown = await codec.decode([payload]).then(
    () => new Error('it was decrypted'),
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(CodecError);
  return error instanceof Error ? error.message : '';
}

describe('an encrypted payload', () => {
  it('shows the id of its key and nothing of what it holds', async () => {
    const payload = await encrypted({ server: 'h100-01' }, NEW, OLD);
    expect(Object.entries(payload.metadata ?? {}).map(([name, value]) => [name, text(value)])).toEqual([
      ['encoding', 'binary/encrypted'],
      ['encryption-key-id', '2026-11'],
    ]);
    const bytes = Buffer.from(payload.data ?? []);
    expect(bytes.includes('h100-01') || bytes.includes('json/plain')).toBe(false);
  });

  it('is AES-256-GCM with its key id bound to it: nonce, ciphertext, tag', async () => {
    const data = Buffer.from((await encrypted('h100-01', NEW)).data ?? []);
    const key = Buffer.from(NEW.split(': ')[1] ?? '', 'base64');
    const open = (aad: string): string => {
      const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, 12));
      decipher.setAAD(Buffer.from(aad)).setAuthTag(data.subarray(-16));
      return Buffer.concat([decipher.update(data.subarray(12, -16)), decipher.final()]).toString();
    };
    expect(open('2026-11')).toContain('"h100-01"');
    expect(() => open('2026-05')).toThrow(/authenticate/);
  });

  it('is another one each time', async () => {
    const codec = await codecOf(NEW);
    const made = await codec.encode(Array.from({ length: 100 }, () => payloadOf('same')));
    expect(new Set(made.map(({ data }) => Buffer.from(data ?? []).toString('hex', 0, 12))).size).toBe(100);
  });

  it('comes back as it was, whatever it was', async () => {
    const codec = await codecOf(NEW);
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string(), fc.uint8Array()),
        fc.uint8Array({ maxLength: 5_000 }),
        async (metadata, data) => {
          const [back] = await codec.decode(await codec.encode([{ metadata, data }]));
          expect(Object.entries(back?.metadata ?? {}).map(([k, v]) => [k, [...v]])).toEqual(
            Object.entries(metadata).map(([k, v]) => [k, [...v]]),
          );
          expect([...(back?.data ?? [])]).toEqual([...data]);
        },
      ),
    );
  });

  it('may be of a payload without bytes, in each way in which the SDK has none', async () => {
    const codec = await codecOf(NEW);
    const metadata = { encoding: Buffer.from('binary/null') };
    for (const empty of [{ metadata }, { metadata, data: null }, { metadata, data: [] as unknown as Uint8Array }]) {
      const [back] = await codec.decode(await codec.encode([empty]));
      expect(defaultPayloadConverter.fromPayload(back ?? {})).toBeUndefined();
      expect(back?.data).toHaveLength(0);
    }
  });

  it('is opened by every key that is kept, and made by the first', async () => {
    const old = await encrypted('from May', OLD);
    const rotated = await codecOf(NEW, OLD);
    const [back] = await rotated.decode([old]);
    expect(defaultPayloadConverter.fromPayload(back ?? {})).toBe('from May');
    const [made] = await rotated.encode([payloadOf('from November')]);
    expect(text(made?.metadata?.['encryption-key-id'])).toBe('2026-11');
  });

  it('without its key fails by the id of the key, and says what to do', async () => {
    const old = await encrypted('from May', OLD);
    expect(await refusal(old, NEW)).toBe(
      'a payload is encrypted with the key "2026-05", which is not in GPU_PROVISION_CODEC_KEYS (env:KEYS); there is 2026-11. ' +
        "Add that key's line to the keys that GPU_PROVISION_CODEC_KEYS names, below the first one: a key is needed as long as Temporal keeps what it encrypted",
    );
    expect(await refusal(old)).toContain(
      'the key "2026-05", which is not in GPU_PROVISION_CODEC_KEYS, which is not set',
    );
  });

  it('fails with another key of the same id, with another id of the same key, and when a bit of it was changed', async () => {
    const payload = await encrypted('from May', OLD);
    expect(await refusal(payload, line('2026-05'))).toContain('names the key "2026-05", but that key in');
    const renamed = { ...payload, metadata: { ...payload.metadata, 'encryption-key-id': Buffer.from('2026-06') } };
    expect(await refusal(renamed, OLD.replace('2026-05', '2026-06'))).toContain('does not open it');
    for (const index of [0, 11, 12, 20, (payload.data?.length ?? 0) - 1]) {
      const data = Buffer.from(payload.data ?? []);
      data[index] = (data[index] ?? 0) ^ 1;
      expect(await refusal({ ...payload, data }, OLD)).toContain('does not open it');
    }
    expect(await refusal({ ...payload, data: Buffer.alloc(3) }, OLD)).toContain('does not open it');
  });
});

describe('a payload that was not encrypted', () => {
  it('passes, with keys and without', async () => {
    const payload = payloadOf({ gate: 'reboot' });
    expect(await (await codecOf(NEW)).decode([payload])).toEqual([payload]);
    expect(await (await codecOf()).decode([payload])).toEqual([payload]);
    expect(await (await codecOf()).encode([payload])).toEqual([payload]);
  });
});

describe('a failure', () => {
  it('has its message and stack trace in a payload, and is read by everybody who has the default converter', () => {
    const cause = ApplicationFailure.create({ message: 'BMC of h100-01', type: 'BmcUnavailable' });
    const failure = failureConverter.errorToFailure(
      ApplicationFailure.create({ message: 'power of h100-01', type: 'Blocked', cause }),
      defaultPayloadConverter,
    );
    const { encodedAttributes, ...shown } = failure;
    expect(shown).toMatchObject({ message: 'Encoded failure', stackTrace: '' });
    expect(text(encodedAttributes?.data)).toContain('power of h100-01');
    expect(text(failure.cause?.encodedAttributes?.data)).toContain('BMC of h100-01');
  });
});

describe('keys that cannot be used are refused without being shown', () => {
  const key = randomBytes(32).toString('base64');

  it.each<[string, Record<string, string>, string]>([
    [
      'the key itself instead of a reference',
      { GPU_PROVISION_CODEC_KEYS: key },
      'GPU_PROVISION_CODEC_KEYS: found a text that is not shown here; expected a reference to the keys: file:PATH, env:NAME,',
    ],
    [
      'a variable that is not set',
      { GPU_PROVISION_CODEC_KEYS: 'env:NOWHERE' },
      'GPU_PROVISION_CODEC_KEYS: the secret env:NOWHERE is not set in the environment',
    ],
    ['no id', { K: key }, 'line 1 of GPU_PROVISION_CODEC_KEYS (env:K): found a line of another form; expected ID: KEY'],
    [
      'an id with a space',
      { K: `a b: ${key}` },
      'line 1 of GPU_PROVISION_CODEC_KEYS (env:K): found a line of another form',
    ],
    [
      'a short key',
      { K: `# keys\n\nok: ${key}\na: ${key.slice(4)}` },
      'line 4 of GPU_PROVISION_CODEC_KEYS (env:K): found a key a that is not 32 bytes in base64; expected one (openssl rand -base64 32)',
    ],
    ['a key in hex', { K: `a: ${randomBytes(32).toString('hex')}` }, 'found a key a that is not 32 bytes in base64'],
    ['an id twice', { K: `a: ${key}\na: ${randomBytes(32).toString('base64')}` }, 'line 2 of'],
    ['nothing but comments', { K: '# none yet' }, 'GPU_PROVISION_CODEC_KEYS (env:K): found no key'],
  ])('%s', async (_what, env, message) => {
    const error: unknown = await readKeyRing({ GPU_PROVISION_CODEC_KEYS: 'env:K', ...env }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CodecError);
    expect(String(error)).toContain(message);
    expect(String(error)).not.toContain(key.slice(0, 12));
  });

  it('an empty setting is none', async () => {
    expect((await readKeyRing({ GPU_PROVISION_CODEC_KEYS: '' })).keys.size).toBe(0);
  });
});
