import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { startRackHost, type RackHost } from '../../test/support/rack-host.js';
import { serverSpec } from '../../test/support/server-spec.js';
import { FAILURES, type FailureType } from '../domain/run/failures.js';
import type { Bmc } from '../ports/bmc.js';
import { ProvisionError } from '../ports/failure.js';
import type { Adapters } from './define-step.js';
import { claimHost } from './preparation/claim-host.js';
import { rebootActivities, type BmcAction, type RebootInput } from './reboot.js';

const input: RebootInput = {
  spec: serverSpec({}),
  run: { id: '11111111-run', epoch: 1 },
  oldBootId: '00000000-0000-4000-8000-000000000001',
  trial: null,
  number: 1,
  purpose: 'forward',
};

/** A host whose every connection fails like this, and a BMC that notes what it was asked to do. */
function world(ssh: FailureType, bmc: Partial<Bmc> = {}): { adapters: Adapters; acts: string[] } {
  const acts: string[] = [];
  const refuse = (): never => {
    throw new ProvisionError(ssh, 'no connection');
  };
  const act = (name: string) => (): Promise<void> => {
    acts.push(name);
    return Promise.resolve();
  };
  const adapters = {
    hosts: { get: () => ({ exec: refuse, execFresh: refuse, openStream: refuse }), close: () => Promise.resolve() },
    bmcs: {
      get: (): Bmc => ({
        kind: 'ipmi',
        identity: () => Promise.resolve({ serial: null, model: null }),
        powerState: () => Promise.resolve('on'),
        gracefulRestart: act('graceful'),
        powerCycle: act('cycle'),
        powerOn: act('on'),
        eventLog: () => Promise.resolve([]),
        console: null,
        ...bmc,
      }),
    },
    clusters: { host: refuse, nested: refuse, close: () => Promise.resolve() },
    secrets: { read: refuse },
    artifacts: null,
    redact: (text: string): string => text,
  } satisfies Adapters;
  return { adapters, acts };
}

const cycle = ({ adapters }: { adapters: Adapters }): Promise<BmcAction> =>
  new MockActivityEnvironment().run(rebootActivities(adapters)['bmc.power-cycle'], input);

describe('a power cycle', () => {
  it('is done to a host that is silent', async () => {
    const silent = world('HostUnreachable');
    await expect(cycle(silent)).resolves.toMatchObject({ done: true });
    expect(silent.acts).toEqual(['cycle']);
  });

  it.each(['SecretUnreadable', 'AuthenticationFailed', 'BastionUnreachable', 'BastionRefused'] as const)(
    'is not done when the worker cannot log in (%s): that says nothing about the host',
    async (type) => {
      const blind = world(type);
      await expect(cycle(blind)).rejects.toMatchObject({ type, nonRetryable: !FAILURES[type].retryable });
      expect(blind.acts).toEqual([]);
    },
  );

  it.each(['HostKeyChanged', 'HostKeyUnknown'] as const)(
    'is not done when something answers that is not the host (%s)',
    async (type) => {
      const foreign = world(type);
      await expect(cycle(foreign)).resolves.toMatchObject({ done: false });
      expect(foreign.acts).toEqual([]);
    },
  );

  it('is done though the BMC does not say what the power is', async () => {
    const mute = world('HostUnreachable', {
      powerState: () => Promise.reject(new ProvisionError('BmcUnavailable', 'no answer')),
    });
    await expect(cycle(mute)).resolves.toEqual({ done: true, evidence: 'power was unknown, is unknown' });
    expect(mute.acts).toEqual(['cycle']);
  });

  it('is done once though the BMC does not answer afterwards: a retry would cycle into the boot', async () => {
    let asked = 0;
    const flaky = world('HostUnreachable', {
      powerState: () => {
        asked += 1;
        return asked === 1 ? Promise.resolve('on') : Promise.reject(new ProvisionError('BmcUnavailable', 'no answer'));
      },
    });
    await expect(cycle(flaky)).resolves.toEqual({ done: true, evidence: 'power was on, is unknown' });
    expect(flaky.acts).toEqual(['cycle']);
  });
});

interface Answered {
  readonly server: RackHost;
  readonly asked: Promise<unknown>;
}

describe('the request to reboot', () => {
  const request = (exitCode: number | null): Promise<{ asked: boolean }> => {
    const { adapters } = world('HostUnreachable');
    const result = { exitCode, signal: null, stdout: '', stderr: 'no', truncated: false };
    const host = { ...adapters.hosts.get(input.spec), exec: () => Promise.resolve(result) };
    const hosts = { ...adapters.hosts, get: () => host };
    return new MockActivityEnvironment().run(rebootActivities({ ...adapters, hosts })['reboot.request'], input);
  };

  it('was not heard where the host is in another boot', async () => {
    await expect(request(44)).resolves.toEqual({ asked: false });
  });

  it('is refused by a host that says so', async () => {
    await expect(request(45)).rejects.toMatchObject({ type: 'CommandFailed', nonRetryable: true });
  });

  it('is asked again where the command was ended by a signal: the shutdown may have begun', async () => {
    await expect(request(null)).rejects.toMatchObject({ type: 'LinkLost', nonRetryable: false });
  });

  /** systemd-run says that it failed, before it did anything or when it had done it. */
  async function answered(when: 'before' | 'after', onEnd: (end: () => Promise<void>) => void): Promise<Answered> {
    const server = await startRackHost();
    onEnd(() => server.close());
    const ctx = server.context(input.run.id);
    await claimHost.apply(ctx);
    const { bootId } = await ctx.host.bootReading();
    const effect = { kind: 'fail', exitCode: 1, stderr: 'Connection timed out', when } as const;
    server.rack.faults.add({ at: 'program', match: /^systemd-run .*systemctl reboot/, effect });
    const asked = new MockActivityEnvironment().run(rebootActivities(server.adapters)['reboot.request'], {
      ...input,
      spec: server.spec,
      oldBootId: bootId,
    });
    return { server, asked };
  }

  it('was not heard where systemd has no order of it', async ({ onTestFinished }) => {
    const { asked } = await answered('before', onTestFinished);
    await expect(asked).rejects.toMatchObject({ type: 'CommandFailed' });
  });

  it('was heard where only the answer of systemd-run was lost', async ({ onTestFinished }) => {
    const { server, asked } = await answered('after', onTestFinished);
    await expect(asked).resolves.toEqual({ asked: true });
    await server.host.waitFor((host) => host.boots.length === 2, 'the reboot');
  });
});
