/**
 * The keys that payloads are encrypted with. One secret holds all of them, a line each: `ID: KEY`, the key as 32 bytes in base64. The first one
 * encrypts, all decrypt. So a key is replaced by putting a new one first, and the old one stays as long as histories that need it.
 * @module
 */
import { createSecretSource, redactor } from '../adapters/secrets/index.js';
import { isSecretRef, SECRET_REF_TEXT } from '../domain/secret-ref.js';
import { ProvisionError } from '../ports/failure.js';

/** Names the secret; without it nothing is encrypted. */
export const CODEC_KEYS_VARIABLE = 'GPU_PROVISION_CODEC_KEYS';

/** AES-256. */
const KEY_BYTES = 32;
const MAKE_KEY = 'openssl rand -base64 32';

/** Keys that cannot be used, or a payload that they do not open. The message says which and what to do, and holds no key. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

export interface KeyRing {
  /** For messages: where the keys are. */
  readonly source: string;
  /** By id, the one that encrypts first; empty when nothing is encrypted. */
  readonly keys: ReadonlyMap<string, Buffer>;
}

/** Throws CodecError. */
export async function readKeyRing(env: Readonly<Record<string, string | undefined>>): Promise<KeyRing> {
  const ref = env[CODEC_KEYS_VARIABLE];
  if (ref === undefined || ref === '') return { source: `${CODEC_KEYS_VARIABLE}, which is not set`, keys: new Map() };
  // Whoever put the key itself there is told so, and it is not shown.
  if (!isSecretRef(ref)) {
    throw new CodecError(
      `${CODEC_KEYS_VARIABLE}: found a text that is not shown here; expected a reference to the keys: ${SECRET_REF_TEXT}`,
    );
  }
  const source = `${CODEC_KEYS_VARIABLE} (${ref})`;
  try {
    const text = await createSecretSource({ env }).read(ref);
    return { source, keys: parseKeys(text, source) };
  } catch (error) {
    if (error instanceof ProvisionError) throw new CodecError(`${CODEC_KEYS_VARIABLE}: ${error.message}`);
    throw error;
  }
}

/** Empty lines and lines that begin with # say nothing. */
function parseKeys(text: string, source: string): ReadonlyMap<string, Buffer> {
  const keys = new Map<string, Buffer>();
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const where = `line ${index + 1} of ${source}`;
    const [, id, base64] = /^\s*([A-Za-z0-9._-]{1,64})\s*:\s*(\S+)\s*$/.exec(line) ?? [];
    if (id === undefined || base64 === undefined) {
      throw new CodecError(
        `${where}: found a line of another form; expected ID: KEY, the id of letters, digits, dots, dashes and underscores`,
      );
    }
    redactor.remember(base64);
    const key = Buffer.from(base64, 'base64');
    if (key.length !== KEY_BYTES || key.toString('base64') !== base64) {
      throw new CodecError(`${where}: found a key ${id} that is not 32 bytes in base64; expected one (${MAKE_KEY})`);
    }
    if (keys.has(id)) throw new CodecError(`${where}: found the id ${id} a second time; expected each key once`);
    keys.set(id, key);
  }
  if (keys.size === 0) throw new CodecError(`${source}: found no key; expected lines ID: KEY (${MAKE_KEY})`);
  return keys;
}
