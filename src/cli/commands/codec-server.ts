import { once } from 'node:events';
import { createSecretSource } from '../../adapters/secrets/index.js';
import { EncryptionCodec } from '../../codec/encryption-codec.js';
import { CODEC_KEYS_VARIABLE, readKeyRing } from '../../codec/key-ring.js';
import { startCodecServer } from '../../codec/server.js';
import { EXIT } from '../../domain/run/outcomes.js';
import { isSecretRef, SECRET_REF_TEXT } from '../../domain/secret-ref.js';
import type { Deps } from '../deps.js';
import { failureOf, UsageError } from '../exit.js';

export interface CodecServerArgs {
  readonly port: string;
  readonly host: string;
  readonly origin: readonly string[];
  readonly token?: string;
}

/** What only this machine reaches. */
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];
const MAX_PORT = 65_535;

/** Serves until Ctrl-C or SIGTERM. */
export async function codecServer({ io }: Deps, args: CodecServerArgs): Promise<number> {
  const port = portOf(args.port);
  for (const origin of args.origin) checkOrigin(origin);
  const token = args.token === undefined ? null : await tokenOf(args.token, io.env);
  if (token === null && !LOOPBACK.includes(args.host)) {
    throw new UsageError(
      `--host ${args.host} is reached from other machines, and whoever asks gets payloads decrypted: give a --token, or listen on 127.0.0.1 behind a proxy`,
    );
  }
  const ring = await readKeyRing(io.env);
  if (ring.keys.size === 0)
    throw new UsageError(`${CODEC_KEYS_VARIABLE} is not set: there are no keys to decrypt with`);
  const server = await listen({
    codec: new EncryptionCodec(ring),
    host: args.host,
    port,
    origins: args.origin,
    token,
    onBug: (error) => io.stderr(`${failureOf(error).message}\n`),
  });
  io.stderr(
    `codec server at ${server.url} for ${args.origin.join(', ') || 'no page, only programs'}; Ctrl-C stops it\n`,
  );
  if (!io.signal.aborted) await once(io.signal, 'abort');
  await server.close();
  return EXIT.done;
}

async function listen(options: Parameters<typeof startCodecServer>[0]): ReturnType<typeof startCodecServer> {
  try {
    return await startCodecServer(options);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL', 'ENOTFOUND'].includes(code)
      ? new UsageError(`--host ${options.host} --port ${options.port} cannot be listened on: ${code}`)
      : error;
  }
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= MAX_PORT) return port;
  throw new UsageError(`--port ${text}: expected a TCP port, 0 to ${MAX_PORT} (0 takes a free one)`);
}

function checkOrigin(text: string): void {
  if (URL.canParse(text) && new URL(text).origin === text) return;
  throw new UsageError(
    `--origin ${text}: expected scheme, host and port as a browser says them, e.g. http://127.0.0.1:8080`,
  );
}

async function tokenOf(ref: string, env: Deps['io']['env']): Promise<string> {
  if (!isSecretRef(ref)) {
    throw new UsageError(
      `--token: found a text that is not shown here; expected a reference to the token: ${SECRET_REF_TEXT}`,
    );
  }
  try {
    return await createSecretSource({ env }).read(ref);
  } catch (error) {
    throw error instanceof Error && error.name === 'ProvisionError'
      ? new UsageError(`--token: ${error.message}`)
      : error;
  }
}
