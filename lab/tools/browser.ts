/**
 * Chromium without a window, driven over its debugging pipe: it ends with us, and needs no port and no package.
 * @module
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { findInPath } from './workshop.js';

/** As Debian, Ubuntu and Google call it. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const LOOK_EVERY_MS = 250;
/** Its processes hold files in the profile for a moment after the first one has ended. */
const REMOVAL_RETRIES = 20;

/** Path of a browser, or null. */
export async function findBrowser(env: Readonly<Record<string, string | undefined>>): Promise<string | null> {
  const found = await Promise.all(NAMES.map((name) => findInPath(name, env)));
  return found.find((path) => path !== null) ?? null;
}

export interface Page {
  /** A method of Chrome's debugging protocol. */
  call(method: string, params?: object): Promise<Record<string, unknown>>;
  /** The value of an expression, awaited. Rejects when it throws. */
  evaluate(expression: string): Promise<unknown>;
  open(url: string): Promise<void>;
  /** Looks until it is true. */
  until(what: string, condition: () => Promise<boolean>, limitMs: number): Promise<void>;
  /** Events of the protocol's domains that were enabled, by method. */
  readonly events: readonly { readonly method: string; readonly params: unknown }[];
}

/** An empty page of a browser that is there as long as `use` takes. */
export async function withPage<T>(program: string, use: (page: Page) => Promise<T>): Promise<T> {
  const profile = await mkdtemp(join(tmpdir(), 'browser-'));
  const browser = spawn(
    program,
    [
      '--headless',
      '--remote-debugging-pipe',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--hide-scrollbars',
      `--user-data-dir=${profile}`,
    ],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const ended = new Promise<void>((resolve) => browser.once('close', () => resolve()));
  const gone = new Promise<never>((_, reject) => {
    browser.on('error', (error) => reject(new Error(`${program}: ${error.message}; apt install chromium`)));
    browser.on('exit', (code) => reject(new Error(`${program} ended with ${code}`)));
  });
  gone.catch(() => undefined);
  try {
    const protocol = new Protocol(browser.stdio[3] as Writable, browser.stdio[4] as Readable);
    return await Promise.race([newPage(protocol).then(use), gone]);
  } finally {
    browser.kill('SIGKILL');
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: REMOVAL_RETRIES });
  }
}

async function newPage(protocol: Protocol): Promise<Page> {
  const { targetId } = await protocol.call('Target.createTarget', { url: 'about:blank' });
  const attached = await protocol.call('Target.attachToTarget', { targetId, flatten: true });
  const session = attached['sessionId'] as string;
  const call: Page['call'] = (method, params = {}) => protocol.call(method, params, session);
  const evaluate = async (expression: string): Promise<unknown> => {
    const answer = await call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    const { result, exceptionDetails } = answer as { result: { value?: unknown }; exceptionDetails?: object };
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails).slice(0, 1_000));
    return result.value;
  };
  return {
    call,
    evaluate,
    until,
    events: protocol.events,
    open: async (url) => {
      const { errorText } = await call('Page.navigate', { url });
      if (errorText !== undefined) throw new Error(`${url}: ${JSON.stringify(errorText)}`);
    },
  };
}

/** Looks until it is true. */
async function until(what: string, condition: () => Promise<boolean>, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} not seen in ${limitMs} ms`);
    await delay(LOOK_EVERY_MS);
  }
}

type Answer = Record<string, unknown>;

/** Chrome's debugging protocol over its pipe: JSON messages with a NUL byte after each. */
class Protocol {
  readonly events: { readonly method: string; readonly params: unknown }[] = [];
  private lastId = 0;
  private rest = '';
  private readonly waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();

  constructor(
    private readonly input: Writable,
    output: Readable,
  ) {
    // EPIPE when the browser ends while we ask.
    input.on('error', () => undefined);
    output.setEncoding('utf8');
    output.on('data', (text: string) => this.receive(text));
  }

  call(method: string, params: object, sessionId?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.lastId += 1;
      this.waiting.set(this.lastId, { resolve, reject });
      const session = sessionId === undefined ? {} : { sessionId };
      this.input.write(`${JSON.stringify({ id: this.lastId, method, params, ...session })}\0`);
    });
  }

  private receive(text: string): void {
    const messages = (this.rest + text).split('\0');
    this.rest = messages.pop() ?? '';
    for (const message of messages) {
      const { id, method, params, result, error } = JSON.parse(message) as {
        id?: number;
        method?: string;
        params?: unknown;
        result?: Answer;
        error?: { message: string };
      };
      if (method !== undefined) this.events.push({ method, params });
      const call = this.waiting.get(id ?? -1);
      if (id === undefined || call === undefined) continue;
      this.waiting.delete(id);
      if (error === undefined) call.resolve(result ?? {});
      else call.reject(new Error(error.message));
    }
  }
}
