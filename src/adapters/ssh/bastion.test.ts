/**
 * A server behind a bastion, over OpenSSH and over a server in this process, as either of the two: who failed is said, and a bastion that
 * fails is never taken for a server that does.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeKeyPair } from '../../../test/support/key-pair.js';
import { startOpenSshServer } from '../../../test/support/openssh-server.js';
import { describeWith } from '../../../test/support/skip-unless.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import { startSsh2Server } from '../../../test/support/ssh2-server.js';
import type { TestSshServer } from '../../../test/support/ssh-server.js';
import type { SshLogin } from '../../domain/spec.js';
import type { ExecOptions, Host } from '../../ports/host.js';
import { createSecretSource } from '../secrets/index.js';
import { createHostProvider, type SshLimits } from './index.js';
import { fingerprint } from './known-hosts.js';

/** Longer than anything here takes, so that a passing test never waits for it. */
const plain: ExecOptions = { timeoutMs: 15_000, sudo: false };
/** Longer than a login takes on a busy machine, and short enough to be waited for. */
const SHORT: Partial<SshLimits> = { connectTimeoutMs: 3_000, keepaliveIntervalMs: 500 };

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ssh-bastion-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

let files = 0;
function fileWith(text: string): string {
  files += 1;
  const path = join(directory, String(files));
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const pinsOf = ({ port, hostKeys }: TestSshServer): string =>
  hostKeys.map((key) => `[127.0.0.1]:${port} ${key}\n`).join('');

/** `known` is what known_hosts says of both. */
function behind(
  bastion: TestSshServer,
  server: TestSshServer,
  {
    bastionLogin = {},
    login = {},
    known = pinsOf(bastion) + pinsOf(server),
    limits = {},
  }: {
    bastionLogin?: Partial<SshLogin>;
    login?: Partial<SshLogin>;
    known?: string;
    limits?: Partial<SshLimits>;
  } = {},
): Host {
  const knownHosts = fileWith(known);
  const loginTo = ({ port, user, userKey }: TestSshServer): SshLogin => ({
    host: '127.0.0.1',
    port,
    user,
    key: `file:${userKey}`,
    knownHosts,
  });
  const hosts = createHostProvider({ secrets: createSecretSource(), limits });
  closing.push(() => hosts.close());
  const ssh = { ...loginTo(server), ...login, bastion: { ...loginTo(bastion), ...bastionLogin } };
  return hosts.get(serverSpec({ ssh }));
}

const otherKey = (): string => makeKeyPair().public;
const printOf = (publicKey: string): string => fingerprint(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64'));
const bastionName = ({ user, port }: TestSshServer): string => `bastion of h100-01 (${user}@127.0.0.1:${port})`;
const serverName = ({ user, port }: TestSshServer): string => `h100-01 (${user}@127.0.0.1:${port})`;

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface Starts {
  bastion(options?: { forwards?: boolean }): Promise<TestSshServer>;
  server(): Promise<TestSshServer>;
}

function conformance(start: Starts): void {
  let bastion: TestSshServer;
  let server: TestSshServer;
  beforeAll(async () => {
    [bastion, server] = await Promise.all([start.bastion(), start.server()]);
  });
  afterAll(async () => {
    await Promise.all([bastion.close(), server.close()]);
  });

  it('runs commands over one connection, and over fresh ones all the way', async () => {
    const host = behind(bastion, server);
    const before = [bastion.connections(), server.connections()];
    const said = async (): Promise<string> => (await host.exec(['echo', 'hello'], plain)).stdout;
    expect(await Promise.all([said(), said()])).toEqual(['hello\n', 'hello\n']);
    expect([bastion.connections(), server.connections()]).toEqual(before.map((count) => count + 1));
    expect((await host.execFresh(['echo', 'fresh'], plain)).stdout).toBe('fresh\n');
    expect([bastion.connections(), server.connections()]).toEqual(before.map((count) => count + 2));
  });

  it('carries streams to addresses as the server sees them', async () => {
    const port = await listening(createServer((socket) => socket.pipe(socket)));
    const stream = await behind(bastion, server).openStream('127.0.0.1', port);
    stream.end('there and back');
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    expect(text).toBe('there and back');
  });

  it('says that the bastion is down', async () => {
    const port = await closedPort();
    await expect(behind(bastion, server, { bastionLogin: { port } }).exec(['true'], plain)).rejects.toMatchObject({
      type: 'BastionUnreachable',
      message: expect.stringMatching(/^bastion of h100-01 \(.*connection refused/),
    });
  });

  it('says that the server is down behind a bastion that is not', async () => {
    const port = await closedPort();
    const error: unknown = await behind(bastion, server, { login: { port } })
      .exec(['true'], plain)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'HostUnreachable' });
    expect(String(error)).toContain(serverName({ ...server, port }));
    expect(String(error)).toContain(`${bastionName(bastion)}: no connection from there to 127.0.0.1:${port}`);
  });

  it('goes through no bastion whose key is not pinned', async () => {
    const before = server.connections();
    await expect(behind(bastion, server, { known: pinsOf(server) }).exec(['true'], plain)).rejects.toMatchObject({
      type: 'BastionRefused',
      message: expect.stringContaining(`${bastionName(bastion)}: no key of this host is pinned`),
    });
    expect(server.connections()).toBe(before);
  });

  it('goes through no bastion whose key has changed, and shows both fingerprints', async () => {
    const pinned = otherKey();
    const known = `[127.0.0.1]:${bastion.port} ${pinned}\n${pinsOf(server)}`;
    const error: unknown = await behind(bastion, server, { known })
      .execFresh(['true'], plain)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'BastionRefused' });
    expect(String(error)).toContain(bastionName(bastion));
    expect(String(error)).toContain(printOf(pinned));
    expect(bastion.hostKeys.map(printOf).some((print) => String(error).includes(print))).toBe(true);
  });

  it('checks the key of the server behind it, too', async () => {
    const pinned = otherKey();
    const known = `${pinsOf(bastion)}[127.0.0.1]:${server.port} ${pinned}\n`;
    const error: unknown = await behind(bastion, server, { known })
      .exec(['true'], plain)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'HostKeyChanged' });
    expect(String(error)).toContain(`${serverName(server)}: the host shows another key`);
    expect(String(error)).toContain(printOf(pinned));
  });

  it('says which of the two refuses the login', async () => {
    const stranger = `file:${fileWith(makeKeyPair().private)}` as const;
    await expect(
      behind(bastion, server, { bastionLogin: { key: stranger } }).exec(['true'], plain),
    ).rejects.toMatchObject({
      type: 'BastionRefused',
      message: expect.stringContaining(`${bastionName(bastion)}: the host refuses this user with this key`),
    });
    await expect(behind(bastion, server, { login: { key: stranger } }).exec(['true'], plain)).rejects.toMatchObject({
      type: 'AuthenticationFailed',
      message: expect.stringContaining(`${serverName(server)}: the host refuses this user with this key`),
    });
  });

  it('says that the bastion lets nobody through', async () => {
    const closed = await start.bastion({ forwards: false });
    closing.push(() => closed.close());
    await expect(behind(closed, server).exec(['true'], plain)).rejects.toMatchObject({
      type: 'BastionRefused',
      message: expect.stringMatching(/^bastion of h100-01 .* forbids connections .* AllowTcpForwarding/),
    });
  });

  it('says that the server lets nobody through to its own addresses', async () => {
    const closed = await start.bastion({ forwards: false });
    closing.push(() => closed.close());
    const host = behind(bastion, closed);
    await expect(host.openStream('127.0.0.1', 6443)).rejects.toMatchObject({
      type: 'ForwardingRefused',
      message: expect.stringContaining(`${serverName(closed)}: sshd forbids connections to 127.0.0.1:6443`),
    });
    expect((await host.exec(['echo', 'commands work'], plain)).stdout).toBe('commands work\n');
  });

  it.each(['bastion', 'server'] as const)(
    'fails a command as LinkLost when the link of the %s breaks under it, and the next one gets new links',
    async (which) => {
      const host = behind(bastion, server);
      const broken = { bastion, server }[which];
      const running = host.exec(['sh', '-c', 'echo started; sleep 600'], {
        ...plain,
        onLine: () => broken.dropLinks(),
      });
      await expect(running).rejects.toMatchObject({ type: 'LinkLost' });
      expect((await host.exec(['echo', 'again'], plain)).stdout).toBe('again\n');
    },
  );

  it('says that the bastion was lost when it is during the login behind it', async () => {
    const port = await listening(createServer(() => setTimeout(() => bastion.dropLinks(), 100)));
    await expect(behind(bastion, server, { login: { port } }).execFresh(['true'], plain)).rejects.toMatchObject({
      type: 'BastionUnreachable',
      message: expect.stringContaining(bastionName(bastion)),
    });
  });

  it('is given up within its limit, whichever of the two says nothing', async () => {
    const port = await listening(createServer(() => {}));
    const began = performance.now();
    await expect(
      behind(bastion, server, { login: { port }, limits: SHORT }).execFresh(['true'], plain),
    ).rejects.toMatchObject({ type: 'HostUnreachable', message: expect.stringContaining('does not answer in time') });
    await expect(
      behind(bastion, server, { bastionLogin: { port }, limits: SHORT }).execFresh(['true'], plain),
    ).rejects.toMatchObject({ type: 'BastionUnreachable', message: expect.stringContaining(`:${port})`) });
    expect(performance.now() - began).toBeLessThan(2 * 3_000 + 3_000);
  });
}

describe('over servers in this process', () => {
  conformance({ bastion: (options = {}) => startSsh2Server(options), server: () => startSsh2Server() });
});
describeWith('over OpenSSH', ['sshd', 'ssh-keygen'], 'openssh-server', () => {
  conformance({ bastion: startOpenSshServer, server: () => startOpenSshServer() });
});

describe('a bastion in this process', () => {
  it('keeps no connection of a fresh look, whether it went well or not', async () => {
    const [bastion, server] = await Promise.all([startSsh2Server(), startSsh2Server()]);
    closing.push(
      () => bastion.close(),
      () => server.close(),
    );
    const refused = await closedPort();
    await behind(bastion, server).execFresh(['true'], plain);
    await expect(behind(bastion, server, { login: { port: refused } }).execFresh(['true'], plain)).rejects.toThrow(
      'no connection from there',
    );
    await expect(behind(bastion, server, { known: pinsOf(bastion) }).execFresh(['true'], plain)).rejects.toThrow(
      'no key of this host is pinned',
    );
    expect(bastion.connections()).toBe(3);
    await expect.poll(() => [bastion.open(), server.open()]).toEqual([0, 0]);
  });

  it('that freezes is noticed as soon as a frozen server would be, and the next command gets another link', async () => {
    const [bastion, server] = await Promise.all([startSsh2Server(), startSsh2Server()]);
    closing.push(
      () => bastion.close(),
      () => server.close(),
    );
    const host = behind(bastion, server, { limits: SHORT });
    const running = host.exec(['sh', '-c', 'echo started; sleep 600'], {
      ...plain,
      onLine: () => bastion.freezeLinks(),
    });
    await expect(running).rejects.toMatchObject({ type: 'LinkLost' });
    expect((await host.exec(['echo', 'again'], plain)).stdout).toBe('again\n');
  });
});
