/**
 * Payloads that only those can read who have the key: AES-256-GCM over the whole payload, its own metadata included. Metadata of the encrypted
 * one: `encoding` is `binary/encrypted`, `encryption-key-id` names the key. Data: nonce, ciphertext, tag.
 * @module
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { CODEC_KEYS_VARIABLE, CodecError, type KeyRing } from './key-ring.js';

const ENCODING = 'binary/encrypted';
const CIPHER = 'aes-256-gcm';
/** NIST SP 800-38D, 8.2.2: a random nonce of 96 bits serves 2^32 payloads of a key; a run has some thousands. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LENGTH_BYTES = 4;

export class EncryptionCodec implements PayloadCodec {
  constructor(private readonly ring: KeyRing) {}

  /** Nothing changes without keys. */
  async encode(payloads: Payload[]): Promise<Payload[]> {
    const [first] = this.ring.keys;
    if (first === undefined) return payloads;
    const [id, key] = first;
    return payloads.map((payload) => encrypt(payload, id, key));
  }

  /** What was not encrypted passes as it is: runs from before encryption was turned on, and signals that people send by hand. */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) =>
      textOf(payload.metadata?.['encoding']) === ENCODING ? this.decrypt(payload) : payload,
    );
  }

  private decrypt({ metadata, data }: Payload): Payload {
    const id = textOf(metadata?.['encryption-key-id']);
    const key = this.ring.keys.get(id);
    if (key === undefined) {
      const has = [...this.ring.keys.keys()].join(', ');
      throw new CodecError(
        `a payload is encrypted with the key ${JSON.stringify(id)}, which is not in ${this.ring.source}` +
          `${has === '' ? '' : `; there ${has.includes(',') ? 'are' : 'is'} ${has}`}. ` +
          `Add that key's line to the keys that ${CODEC_KEYS_VARIABLE} names, below the first one: a key is needed as long as Temporal keeps what it encrypted`,
      );
    }
    try {
      return unpack(decryptBytes(Buffer.from(data ?? []), id, key));
    } catch {
      throw new CodecError(
        `a payload names the key ${JSON.stringify(id)}, but that key in ${this.ring.source} does not open it: ` +
          `the id stands for another key there than where it was encrypted, or the payload was altered. Compare the lines of both machines`,
      );
    }
  }
}

function encrypt(payload: Payload, id: string, key: Buffer): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  // Bound to its id: one payload cannot be passed off as encrypted by another key.
  cipher.setAAD(Buffer.from(id));
  const data = Buffer.concat([nonce, cipher.update(pack(payload)), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { encoding: Buffer.from(ENCODING), 'encryption-key-id': Buffer.from(id) }, data };
}

function decryptBytes(data: Buffer, id: string, key: Buffer): Buffer {
  const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(id));
  decipher.setAuthTag(data.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}

/** The length of the metadata, the metadata as JSON with its values in base64, and the data. */
function pack({ metadata, data }: Payload): Buffer {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(header.length);
  // Copied: where there are no bytes, the SDK has an empty array that is no buffer.
  return Buffer.concat([length, header, Buffer.from(data ?? [])]);
}

function unpack(bytes: Buffer): Payload {
  const end = LENGTH_BYTES + bytes.readUInt32BE();
  const header: Record<string, string> = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end));
  const entries = Object.entries(header).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  return { metadata: Object.fromEntries(entries), data: bytes.subarray(end) };
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}
