/**
 * The connection that all commands for one server share.
 * @module
 */
import type { Client } from 'ssh2';
import { ProvisionError } from '../../ports/failure.js';
import { disconnect } from './client.js';

export class SharedConnection {
  private current: Promise<Client> | null = null;
  /** What `current` has become. */
  private live: Client | null = null;
  private closed = false;
  /** How much goes on over each client, replaced ones included. */
  private readonly inUse = new Map<Client, number>();

  constructor(private readonly open: () => Promise<Client>) {}

  /** The live client. Callers at the same time share one attempt to connect; after a failure the next caller tries anew. */
  client(): Promise<Client> {
    if (this.closed) return Promise.reject(new ProvisionError('LinkLost', 'the worker is closing its SSH connections'));
    if (this.current) return this.current;
    const opening = this.open();
    const forget = (): void => {
      if (this.current === opening) this.replaceNext();
    };
    this.current = opening;
    opening.then((client) => {
      if (this.current === opening) this.live = client;
      client.once('end', forget).once('close', forget).once('error', forget);
    }, forget);
    return opening;
  }

  /** Counts a use of the client; the function returned ends it. */
  use(client: Client): () => void {
    this.inUse.set(client, (this.inUse.get(client) ?? 0) + 1);
    return () => {
      const left = (this.inUse.get(client) ?? 1) - 1;
      if (left > 0) this.inUse.set(client, left);
      else this.inUse.delete(client);
      this.closeUnused(client);
    };
  }

  /** The next caller gets another client. This one is closed when nothing goes on over it any more. */
  retire(client: Client): void {
    if (client === this.live) this.replaceNext();
    this.closeUnused(client);
  }

  /** Says goodbye without waiting for the answer; an attempt to connect that is under way is closed when it succeeds. */
  close(): void {
    this.closed = true;
    this.current?.then(disconnect, () => {});
    for (const client of this.inUse.keys()) disconnect(client);
    this.replaceNext();
  }

  private replaceNext(): void {
    this.current = null;
    this.live = null;
  }

  private closeUnused(client: Client): void {
    if (client !== this.live && !this.inUse.has(client)) disconnect(client);
  }
}
