/** What only a server that can misbehave shows: lost power, half packets, a boot that is not over. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeKeyPair } from '../../../test/support/key-pair.js';
import { describeWith } from '../../../test/support/skip-unless.js';
import { startSsh2Server, type Ssh2ServerOptions, type Ssh2TestServer } from '../../../test/support/ssh2-server.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import type { ProvisionError } from '../../ports/failure.js';
import type { ExecOptions, Host } from '../../ports/host.js';
import { createSecretSource } from '../secrets/index.js';
import { createHostProvider, type SshLimits } from './index.js';

const plain: ExecOptions = { timeoutMs: 15_000, sudo: false };
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function serverAndHost(
  options: Ssh2ServerOptions = {},
  limits: Partial<SshLimits> = {},
): Promise<{ server: Ssh2TestServer; host: Host }> {
  const server = await startSsh2Server(options);
  cleanups.push(() => server.close());
  const directory = mkdtempSync(join(tmpdir(), 'ssh-wire-'));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const knownHosts = join(directory, 'known_hosts');
  writeFileSync(knownHosts, `[127.0.0.1]:${server.port} ${server.hostKeys[0]}\n`);
  const provider = createHostProvider({ secrets: createSecretSource(), limits });
  cleanups.push(() => provider.close());
  const { port, user, userKey } = server;
  const ssh = { host: '127.0.0.1', port, user, key: `file:${userKey}`, knownHosts } as const;
  return { server, host: provider.get(serverSpec({ ssh })) };
}

/** A host at an address where no SSH server is. */
function hostAt(address: string, port: number, limits: Partial<SshLimits> = {}): Host {
  const provider = createHostProvider({ secrets: { read: () => Promise.resolve(KEY) }, limits });
  cleanups.push(() => provider.close());
  return provider.get(
    serverSpec({ ssh: { host: address, port, user: 'root', key: 'env:KEY', knownHosts: '/dev/null' } }),
  );
}

const KEY = makeKeyPair().private;

describe('output', () => {
  it('keeps a character whole that two packets share', async () => {
    const bytes = Buffer.from('8×H100 🚀\n');
    const lines: string[] = [];
    const { host } = await serverAndHost({
      respond(channel) {
        for (const byte of bytes) channel.write(Buffer.from([byte]));
        channel.exit(0);
        channel.end();
      },
    });
    const result = await host.exec(['lspci'], { ...plain, onLine: (line) => lines.push(line) });
    expect(result.stdout).toBe('8×H100 🚀\n');
    expect(lines).toEqual(['8×H100 🚀']);
  });

  it('leaves a character out that the limit cuts, instead of garbling it', async () => {
    const { host } = await serverAndHost();
    const result = await host.exec(['printf', 'aü'], { ...plain, maxOutputBytes: 2 });
    expect(result).toMatchObject({ stdout: 'a', truncated: true });
  });

  it('that never stops is given up, and the host notices', async () => {
    const block = Buffer.alloc(64 * 1024, 'y\n');
    const respond: Ssh2ServerOptions['respond'] = (channel) => {
      const pour = (): void => {
        while (channel.writable && channel.write(block));
      };
      channel.on('drain', pour).on('error', () => undefined);
      channel.resume();
      pour();
    };
    const { server, host } = await serverAndHost({ respond }, { printedBytes: 1024 * 1024 });
    await expect(host.exec(['yes'], { ...plain, timeoutMs: 60_000 })).rejects.toMatchObject({
      type: 'OutputUnexpected',
      message: expect.stringContaining('yes printed more than 1 MiB and was given up'),
    });
    await server.channelClosed;
  });
});

describe('a command', () => {
  it('that is given up has its channel closed, so that the host notices', async () => {
    const { server, host } = await serverAndHost();
    await expect(host.exec(['sleep', '600'], { ...plain, timeoutMs: 300 })).rejects.toMatchObject({
      type: 'CommandTimeout',
    });
    await server.channelClosed;
  });

  it('whose channel closes without an exit code has an unknown end', async () => {
    const { host } = await serverAndHost({ respond: (channel) => channel.end() });
    await expect(host.exec(['true'], plain)).rejects.toMatchObject({ type: 'LinkLost' });
  });

  it('that was running when the link died is never sent a second time', async () => {
    const { server, host } = await serverAndHost({ respond: () => server.dropLinks() });
    await expect(host.exec(['reboot'], plain)).rejects.toMatchObject({ type: 'LinkLost' });
    expect(server.commands).toEqual(['LC_ALL=C.UTF-8 reboot']);
  });
});

describe('a link that died', () => {
  it('while idle is replaced on the next call', async () => {
    const { server, host } = await serverAndHost();
    await host.exec(['true'], plain);
    server.dropLinks();
    // Whether the reset has arrived by now or not: the command either runs once over a new link, or is reported lost.
    const next = await host.exec(['echo', 'a'], plain).then(
      () => 'ran',
      (error: ProvisionError) => error.type,
    );
    expect(['ran', 'LinkLost']).toContain(next);
    expect((await host.exec(['echo', 'b'], plain)).stdout).toBe('b\n');
    expect(server.connections()).toBe(2);
  });

  it('in silence is noticed by the missing answers, under a command and then for the next one', async () => {
    const { server, host } = await serverAndHost({}, { keepaliveIntervalMs: 50, keepaliveMisses: 2 });
    const running = host.exec(['sh', '-c', 'echo started; sleep 600'], {
      ...plain,
      onLine: () => server.freezeLinks(),
    });
    await expect(running).rejects.toMatchObject({ type: 'LinkLost' });
    expect((await host.exec(['echo', 'again'], plain)).stdout).toBe('again\n');
  });
});

describe('a host that cannot be logged in to', () => {
  it.each([
    ['System is booting up. Unprivileged users are not permitted to log in yet. See pam_nologin(8).'],
    ['System is going down. Unprivileged users are not permitted to log in anymore.'],
  ])('but says "%s" is booting', async (nologin) => {
    const { host } = await serverAndHost({ nologin });
    await expect(host.execFresh(['true'], plain)).rejects.toMatchObject({
      type: 'HostBooting',
      message: expect.stringContaining(nologin.slice(0, 20)),
    });
  });

  it('because nothing listens is unreachable', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const host = hostAt('127.0.0.1', port);
    for (const call of ['exec', 'execFresh'] as const) {
      await expect(host[call](['true'], plain)).rejects.toMatchObject({
        type: 'HostUnreachable',
        message: expect.stringContaining('connection refused'),
      });
    }
  });

  it('because its name does not resolve is unreachable', async () => {
    await expect(hostAt('no-such-host.invalid', 22).exec(['true'], plain)).rejects.toMatchObject({
      type: 'HostUnreachable',
      message: expect.stringMatching(/name/),
    });
  });

  it.each(['exec', 'execFresh'] as const)('because its port is open but silent fails %s in time', async (call) => {
    const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanups.push(() => void silent.close());
    const host = hostAt('127.0.0.1', (silent.address() as AddressInfo).port, { connectTimeoutMs: 100 });
    await expect(host[call](['true'], plain)).rejects.toMatchObject({ type: 'HostUnreachable' });
  });

  it('because its port is open but silent does not outlast the limit of the command or its signal', async () => {
    const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanups.push(() => void silent.close());
    const host = hostAt('127.0.0.1', (silent.address() as AddressInfo).port, { connectTimeoutMs: 1000 });
    await expect(host.exec(['true'], { ...plain, timeoutMs: 50 })).rejects.toMatchObject({ type: 'HostUnreachable' });
    const reason = new Error('cancelled');
    const cancel = new AbortController();
    const probing = host.execFresh(['true'], { ...plain, signal: cancel.signal });
    cancel.abort(reason);
    await expect(probing).rejects.toBe(reason);
  });

  it('because it hangs up before the greeting is unreachable', async () => {
    const rude = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(rude, 'listening');
    cleanups.push(() => void rude.close());
    const host = hostAt('127.0.0.1', (rude.address() as AddressInfo).port);
    await expect(host.execFresh(['true'], plain)).rejects.toMatchObject({ type: 'HostUnreachable' });
  });
});

describe('more commands than a connection may carry', () => {
  it('wait in line, and one that gives up leaves the line', async () => {
    const { server, host } = await serverAndHost({}, { sessionsPerConnection: 1 });
    const release = new AbortController();
    const first = host.exec(['sleep', '600'], { ...plain, signal: release.signal });
    const impatient = host.exec(['echo', 'impatient'], { ...plain, timeoutMs: 50 });
    const patient = host.exec(['echo', 'patient'], plain);
    await expect(impatient).rejects.toMatchObject({ type: 'CommandTimeout' });
    release.abort(new Error('done'));
    await expect(first).rejects.toThrow('done');
    expect((await patient).stdout).toBe('patient\n');
    expect(server.commands.some((command) => command.includes('impatient'))).toBe(false);
  });
});

describe('sudo', () => {
  it('is in front of every command of a user other than root, unless it is not wanted', async () => {
    const { server, host } = await serverAndHost({
      user: 'ubuntu',
      respond(channel) {
        channel.exit(0);
        channel.end();
      },
    });
    await host.exec(['id', '-u'], { timeoutMs: 15_000 });
    await host.exec(['id', '-u'], plain);
    expect(server.commands).toEqual(['LC_ALL=C.UTF-8 sudo -n -- id -u', 'LC_ALL=C.UTF-8 id -u']);
  });
});

describeWith('a real sudo', ['sudo'], 'sudo', () => {
  const isRoot = process.getuid?.() === 0;
  /** Debian's and Ubuntu's `nobody`: a user without any sudo rule. */
  const NOBODY = 65_534;

  it.skipIf(!isRoot)('that wants a password is recognised, and the command did not run', async () => {
    const { host } = await serverAndHost({ user: 'ubuntu', uid: NOBODY });
    await expect(host.exec(['id', '-u'], { timeoutMs: 15_000 })).rejects.toMatchObject({
      type: 'SudoRefused',
      message: expect.stringContaining('a password is required'),
    });
  });

  it.skipIf(!isRoot)('that is allowed to runs the command with its arguments, exit code and locale', async () => {
    const { host } = await serverAndHost({ user: 'ubuntu' });
    const script = 'echo "$(id -u) $1 $LC_ALL"; exit 9';
    expect(await host.exec(['sh', '-c', script, 'x', "it's"], { timeoutMs: 15_000 })).toMatchObject({
      exitCode: 9,
      stdout: "0 it's C.UTF-8\n",
    });
  });
});
