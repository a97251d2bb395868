import { setTimeout as delay } from 'node:timers/promises';
import { cancellationSignal } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { ProvisionError } from '../ports/failure.js';
import { serverSpec } from '../../test/support/server-spec.js';
import { contextOf, reporting, type Adapters } from './define-step.js';

type Reason = Parameters<MockActivityEnvironment['cancel']>[0];

/** What an attempt ends with that is told to end while it is at work. */
async function endOf(reason: Reason, body: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> {
  const environment = new MockActivityEnvironment();
  const attempt = environment.run(() =>
    reporting(() => {
      const working = body(cancellationSignal());
      environment.cancel(reason);
      return working;
    }),
  );
  return attempt.then(
    (value) => value,
    (error: unknown) => error,
  );
}

const waits = (signal: AbortSignal): Promise<void> => delay(60_000, undefined, { signal });
const rethrows = (signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

describe('an attempt whose worker stops', () => {
  it.each([
    ['an AbortError of Node', waits],
    ['the reason of the signal', rethrows],
  ])('ends with a failure that is tried again, told by %s', async (_how, body) => {
    expect(await endOf('WORKER_SHUTDOWN', body)).toMatchObject({
      type: 'WorkerStopped',
      nonRetryable: false,
      nextRetryDelay: 1_000,
    });
  });

  it('still says what it failed with, or succeeds', async () => {
    const failing = (signal: AbortSignal): Promise<void> =>
      waits(signal).catch(() => {
        throw new ProvisionError('CommandFailed', 'exit 1');
      });
    expect(await endOf('WORKER_SHUTDOWN', failing)).toMatchObject({ type: 'CommandFailed', nonRetryable: true });
    expect(await endOf('WORKER_SHUTDOWN', () => Promise.resolve('done'))).toBe('done');
  });
});

describe('an attempt that a person cancels', () => {
  it.each([
    ['an AbortError of Node', waits, { name: 'AbortError' }],
    ['the reason of the signal', rethrows, { constructor: CancelledFailure }],
  ])('ends as cancelled, told by %s', async (_how, body, error) => {
    expect(await endOf('CANCELLED', body)).toMatchObject(error);
  });
});

describe('the heartbeats of an attempt', () => {
  it('repeat what was said last, without secrets, while it says nothing', async () => {
    const environment = new MockActivityEnvironment({ heartbeatTimeoutMs: 60 });
    const beats: unknown[] = [];
    environment.on('heartbeat', (details: unknown) => beats.push(details));
    const nothing = { get: () => null };
    const adapters = {
      hosts: nothing,
      bmcs: nothing,
      redact: (text: string) => text.replaceAll('hunter2-hunter2', '[redacted]'),
    } as unknown as Adapters;
    await environment.run(() =>
      reporting(async () => {
        const ctx = contextOf(adapters, { spec: serverSpec(), run: { id: 'run', epoch: 1 } });
        await delay(30);
        ctx.heartbeat({ kind: 'host-output', command: 'apt-get', lines: ['token hunter2-hunter2'] });
        await delay(100);
      }),
    );
    const said = { kind: 'host-output', command: 'apt-get', lines: ['token [redacted]'] };
    const first = beats.findIndex((details) => details !== undefined);
    expect(beats.slice(first).length).toBeGreaterThan(2);
    for (const details of beats.slice(first)) expect(details).toEqual(said);
  });
});
