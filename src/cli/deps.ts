import type { ProvisionClient } from '../client.js';
import type { Io } from './io.js';
import type { OutputOptions } from './screen.js';

/** What commands are given instead of taking it from the process. */
export interface Deps {
  readonly io: Io;
  /** Called once, and only by commands that need Temporal, after their input was found good. */
  readonly connect: () => Promise<ProvisionClient>;
}

/** Options that every command has. */
export interface CommonArgs extends OutputOptions {}

/** Runs with a connection and closes it, whatever happens. */
export async function connected<T>(deps: Deps, use: (client: ProvisionClient) => Promise<T>): Promise<T> {
  const client = await deps.connect();
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}
