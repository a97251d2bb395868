import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { BmcOptions } from './options.js';
import { PATHS } from './resources.js';

/** BMCs have few; a client that does not log out soon finds none. */
const MAX_SESSIONS = 8;

export class Sessions {
  private readonly tokens = new Map<string, string>();
  private next = 1;

  constructor(private readonly credentials: BmcOptions['credentials']) {}

  get open(): number {
    return this.tokens.size;
  }

  /** By session token or by basic authentication. */
  allows(headers: IncomingHttpHeaders): boolean {
    const token = headers['x-auth-token'];
    if (typeof token === 'string') return [...this.tokens.values()].includes(token);
    const basic = /^Basic (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (basic === undefined) return false;
    const { user, password } = this.credentials;
    return Buffer.from(basic, 'base64').toString() === `${user}:${password}`;
  }

  /** `full` when none is left, `refused` for wrong credentials. */
  create(body: unknown): { readonly path: string; readonly token: string } | 'refused' | 'full' {
    const { UserName, Password } = (body ?? {}) as { UserName?: unknown; Password?: unknown };
    if (UserName !== this.credentials.user || Password !== this.credentials.password) return 'refused';
    if (this.tokens.size >= MAX_SESSIONS) return 'full';
    const path = `${PATHS.sessions}/${this.next++}`;
    const token = randomBytes(16).toString('hex');
    this.tokens.set(path, token);
    return { path, token };
  }

  delete(path: string): boolean {
    return this.tokens.delete(path);
  }
}
