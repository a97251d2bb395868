import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { serverSpec } from '../../test/support/server-spec.js';
import type { Bmc, BmcConsole } from '../ports/bmc.js';
import { ProvisionError } from '../ports/failure.js';
import { consoleActivities, type ConsolePacing, type ConsoleRead } from './console.js';
import type { Adapters } from './define-step.js';
import type { RebootInput } from './reboot.js';

const input: RebootInput = {
  spec: serverSpec({}),
  run: { id: '11111111-run', epoch: 1 },
  oldBootId: '00000000-0000-4000-8000-000000000001',
  trial: null,
  number: 2,
  purpose: 'undo',
};

const PACING: ConsolePacing = { firstRetryMs: 100, slowestRetryMs: 800 };

type Read = BmcConsole['read'];

interface Reading {
  readonly environment: MockActivityEnvironment;
  readonly result: Promise<ConsoleRead>;
  /** How often the console was asked for. */
  readonly asked: () => number;
  readonly kept: readonly string[];
}

/** Each session in turn; the last one again and again. */
function reading(...sessions: readonly Read[]): Reading {
  const kept: string[] = [];
  let asked = 0;
  const refuse = (): never => {
    throw new Error('not asked for');
  };
  const read: Read = async (hear, signal) => {
    asked += 1;
    await sessions[Math.min(asked, sessions.length) - 1]?.(hear, signal);
  };
  const adapters = {
    hosts: { get: () => ({ exec: refuse, execFresh: refuse, openStream: refuse }), close: () => Promise.resolve() },
    bmcs: { get: () => ({ console: sessions.length === 0 ? null : { isOn: refuse, read } }) as unknown as Bmc },
    clusters: { host: refuse, nested: refuse, close: () => Promise.resolve() },
    secrets: { read: refuse },
    redact: (text) => text,
    artifacts: {
      url: 'file:///kept',
      put: (text) => {
        kept.push(text);
        return Promise.resolve({ sha256: 'a'.repeat(64), bytes: text.length });
      },
      get: refuse,
    },
  } satisfies Adapters;
  const environment = new MockActivityEnvironment();
  const activity = consoleActivities(adapters, PACING)['bmc.console'];
  const result = environment.run<[RebootInput], ConsoleRead, typeof activity>(activity, input);
  return { environment, result, asked: () => asked, kept };
}

/** Says this and goes on until it is told to stop. */
const says =
  (text: string): Read =>
  (hear, signal) => {
    hear(Buffer.from(text));
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  };

const fails =
  (message: string, text = ''): Read =>
  (hear) => {
    hear(Buffer.from(text));
    return Promise.reject(new ProvisionError('BmcUnavailable', message));
  };

const PANIC = 'GNU GRUB\r\n[    1.002345] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n';

describe('the console of a reboot', () => {
  it('is read until the reboot is over, and kept with its last line', async () => {
    const { environment, result, kept } = reading(says(PANIC));
    environment.cancel();
    await expect(result).resolves.toMatchObject({
      lastLine: '[    1.002345] Kernel panic - not syncing: VFS: Unable to mount root fs',
      problem: null,
      artifacts: [{ name: 'console-of-reboot-2.log', store: 'file:///kept', problem: null }],
    });
    expect(kept).toHaveLength(1);
    expect(kept[0]).toMatch(/^serial console of h100-01, reboot 2 \(undo\), \S+Z to \S+Z\n\nGNU GRUB\n\[ .*root fs\n$/);
  });

  it('leaves nothing when nothing was said', async () => {
    const { environment, result, kept } = reading(says('\r\n'));
    environment.cancel();
    await expect(result).resolves.toEqual({ lastLine: null, problem: null });
    expect(kept).toEqual([]);
  });

  it('is asked for again, ever more rarely, while somebody else has it, and tells when it was not read', async () => {
    const times: number[] = [];
    const busy: Read = (hear, signal) => {
      times.push(performance.now());
      return fails('SOL payload already active on another session')(hear, signal);
    };
    const { environment, result, asked, kept } = reading(busy, busy, busy, busy, busy, says(PANIC));
    await expect.poll(asked, { timeout: 5_000, interval: 5 }).toBe(6);
    environment.cancel();
    await expect(result).resolves.toMatchObject({
      lastLine: '[    1.002345] Kernel panic - not syncing: VFS: Unable to mount root fs',
      problem: expect.stringMatching(/^not read for [23] s: SOL payload already active on another session$/),
    });
    const [a = 0, b = 0, c = 0] = times;
    expect(b - a).toBeGreaterThanOrEqual(PACING.firstRetryMs - 1);
    expect(c - b).toBeGreaterThanOrEqual(2 * PACING.firstRetryMs - 1);
    expect(kept[0]?.match(/^not read \S+ to \S+: SOL payload already active on another session$/gm)).toHaveLength(1);
  });

  it('is read on after a session that was lost, with both parts in order', async () => {
    const { environment, result, asked, kept } = reading(
      fails('no response to keepalive', 'first\r\n'),
      says('second\r\n'),
    );
    await expect.poll(asked, { timeout: 5_000, interval: 5 }).toBe(2);
    environment.cancel();
    await expect(result).resolves.toMatchObject({ lastLine: 'second', problem: 'not read: no response to keepalive' });
    expect(kept[0]).toContain('\nfirst\nsecond\n');
  });

  it('ends at once where a wait is of no use: no console, or credentials that nobody can read', async () => {
    await expect(reading().result).resolves.toEqual({ lastLine: null, problem: 'this BMC has no console' });
    const locked = reading(() => Promise.reject(new ProvisionError('SecretUnreadable', 'the secret is away')));
    await expect(locked.result).resolves.toEqual({ lastLine: null, problem: 'not read: the secret is away' });
    expect(locked.asked()).toBe(1);
  });

  it('is handed on when its worker stops', async () => {
    const { environment, result, kept } = reading(says(PANIC));
    environment.cancel('WORKER_SHUTDOWN');
    await expect(result).rejects.toMatchObject({ type: 'WorkerStopped' });
    expect(kept).toEqual([]);
  });

  it('hides no bug of ours', async () => {
    await expect(reading(() => Promise.reject(new TypeError('x is undefined'))).result).rejects.toThrow(TypeError);
  });
});
