/**
 * How workers, clients and commands turn values into payloads: in one way, or they would not understand each other.
 * @module
 */
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { EncryptionCodec } from './encryption-codec.js';
import { readKeyRing } from './key-ring.js';

export const FAILURE_CONVERTER_PATH = fileURLToPath(new URL('./failure-converter.js', import.meta.url));

/** Encrypts when the environment names keys. Throws CodecError when they cannot be used. */
export async function loadDataConverter(env: Readonly<Record<string, string | undefined>>): Promise<DataConverter> {
  const ring = await readKeyRing(env);
  return {
    payloadCodecs: [new EncryptionCodec(ring)],
    ...(ring.keys.size === 0 ? {} : { failureConverterPath: FAILURE_CONVERTER_PATH }),
  };
}
