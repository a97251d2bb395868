/**
 * The connection that all commands for one server share.
 * @module
 */
import type { Client } from 'ssh2';
import { ProvisionError } from '../../ports/failure.js';
import { disconnect } from './connect.js';

export class SharedConnection {
  private current: Promise<Client> | null = null;
  private closed = false;

  constructor(private readonly open: () => Promise<Client>) {}

  /** The live client. Callers at the same time share one attempt to connect; after a failure the next caller tries anew. */
  client(): Promise<Client> {
    if (this.closed) return Promise.reject(new ProvisionError('LinkLost', 'the worker is closing its SSH connections'));
    if (this.current) return this.current;
    const opening = this.open();
    const forget = (): void => {
      if (this.current === opening) this.current = null;
    };
    this.current = opening;
    opening.then((client) => {
      client.once('end', forget).once('close', forget).once('error', forget);
    }, forget);
    return opening;
  }

  /** Forgets a client that turned out to be dead. */
  async discard(dead: Client): Promise<void> {
    if (this.current && (await this.current.catch(() => null)) === dead) this.current = null;
    dead.destroy();
  }

  /** Says goodbye without waiting for the answer; an attempt to connect that is under way is closed when it succeeds. */
  close(): void {
    this.closed = true;
    this.current?.then(disconnect, () => {});
    this.current = null;
  }
}
