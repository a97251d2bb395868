/**
 * The same expectations against an OpenSSH server and a server in this process: what holds for both is the protocol, and not
 * how one of them happens to play it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeKeyPair } from '../../../test/support/key-pair.js';
import { startOpenSshServer } from '../../../test/support/openssh-server.js';
import { describeWith } from '../../../test/support/skip-unless.js';
import { startSsh2Server } from '../../../test/support/ssh2-server.js';
import { serverSpec } from '../../../test/support/server-spec.js';
import type { TestSshServer } from '../../../test/support/ssh-server.js';
import type { SecretRef, ServerSpec } from '../../domain/spec.js';
import type { ExecOptions, Host, HostProvider } from '../../ports/host.js';
import { createSecretSource } from '../secrets/index.js';
import { createHostProvider, type SshLimits } from './index.js';
import { fingerprint } from './known-hosts.js';

/** Longer than anything here takes, so that a passing test never waits for it. */
const LIMIT_MS = 15_000;
const plain: ExecOptions = { timeoutMs: LIMIT_MS, sudo: false };
const sh = (script: string, ...args: string[]): string[] => ['sh', '-c', script, 'test', ...args];

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ssh-adapter-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const providers: HostProvider[] = [];
afterEach(async () => {
  await Promise.all(providers.splice(0).map((made) => made.close()));
});

function provider(limits: Partial<SshLimits> = {}): HostProvider {
  const made = createHostProvider({ secrets: createSecretSource(), limits });
  providers.push(made);
  return made;
}

function knownHosts(lines: readonly string[]): string {
  const path = join(directory, `known_hosts-${lines.length}-${providers.length}-${performance.now()}`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

function spec(server: TestSshServer, ssh: Partial<ServerSpec['ssh']> = {}): ServerSpec {
  const { port, user, userKey, hostKeys } = server;
  const pins = ssh.knownHosts ?? knownHosts(hostKeys.map((key) => `[127.0.0.1]:${port} ${key}`));
  return serverSpec({
    ssh: { host: '127.0.0.1', port, user, key: `file:${userKey}`, ...ssh, knownHosts: pins },
  });
}

const hostOf = (server: TestSshServer, ssh: Partial<ServerSpec['ssh']> = {}, limits: Partial<SshLimits> = {}): Host =>
  provider(limits).get(spec(server, ssh));

const otherKey = (): string => makeKeyPair().public;
const printOf = (publicKey: string): string => fingerprint(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64'));

function conformance(start: () => Promise<TestSshServer>): void {
  let server: TestSshServer;
  /** For tests that a connection from an earlier test does not disturb. */
  let usual: Host;
  const usualProvider = createHostProvider({ secrets: createSecretSource() });
  beforeAll(async () => {
    server = await start();
    usual = usualProvider.get(spec(server));
  });
  afterAll(async () => {
    await usualProvider.close();
    await server.close();
  });

  describe('a command', () => {
    it('hands back exit code, stdout and stderr apart', async () => {
      expect(await usual.exec(sh('echo out; echo err >&2; exit 7'), plain)).toEqual({
        exitCode: 7,
        signal: null,
        stdout: 'out\n',
        stderr: 'err\n',
        truncated: false,
      });
    });

    it('that a signal ended has no exit code', async () => {
      const result = await usual.exec(sh('kill -KILL $$'), plain);
      // sshd's own shell may stand between: then it reports 128 + 9, as every shell does.
      expect([
        [null, 'SIGKILL'],
        [137, null],
      ]).toContainEqual([result.exitCode, result.signal]);
    });

    it('gets its arguments unchanged', async () => {
      const words = ['', ' ', "it's", '"', '$HOME', '`id`', 'a\nb', '*', '\\', 'ü', '--', '-n'];
      const result = await usual.exec(['printf', String.raw`%s\0`, ...words], plain);
      expect(result.stdout.split('\0').slice(0, -1)).toEqual(words);
    });

    it('reads its standard input to the end, byte by byte', async () => {
      const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i % 256);
      const counted = await usual.exec(['cksum'], { ...plain, stdin: bytes });
      const local = spawnSync('cksum', { input: bytes }).stdout.toString();
      expect(counted.stdout).toBe(local);
      expect((await usual.exec(['cat'], plain)).stdout).toBe('');
    });

    it('that ends without reading its input is judged by its exit code', async () => {
      const result = await usual.exec(['true'], { ...plain, stdin: 'x'.repeat(5_000_000) });
      expect(result.exitCode).toBe(0);
    });

    it('keeps at most the asked bytes of each stream and says so', async () => {
      const result = await usual.exec(sh('printf 12345678; printf abc >&2'), { ...plain, maxOutputBytes: 5 });
      expect(result).toMatchObject({ stdout: '12345', stderr: 'abc', truncated: true });
    });

    it('never waits for a reader: output far beyond the limit still ends', async () => {
      const result = await usual.exec(sh('yes | head -c 5000000'), { ...plain, maxOutputBytes: 10 });
      expect(result).toMatchObject({ exitCode: 0, stdout: 'y\ny\ny\ny\ny\n', truncated: true });
    });

    it('shows its lines as they come, the last one too', async () => {
      const lines: string[] = [];
      await usual.exec(sh(String.raw`printf 'one\ntwo\n\nthree'`), {
        ...plain,
        onLine: (line) => lines.push(line),
      });
      expect(lines).toEqual(['one', 'two', '', 'three']);
    });

    it('ends with the exception of a reader that throws', async () => {
      const bug = new Error('bug in a reader');
      const failing = usual.exec(['echo', 'x'], {
        ...plain,
        onLine: () => {
          throw bug;
        },
      });
      await expect(failing).rejects.toBe(bug);
    });
  });

  describe('a command that does not end', () => {
    it('is given up after its limit, and the connection goes on', async () => {
      await expect(usual.exec(['sleep', '600'], { ...plain, timeoutMs: 200 })).rejects.toMatchObject({
        type: 'CommandTimeout',
        message: expect.stringContaining('sleep did not end within'),
      });
      const before = server.connections();
      expect((await usual.exec(['echo', 'still here'], plain)).stdout).toBe('still here\n');
      expect(server.connections()).toBe(before);
    });

    it('is given up when the signal aborts, with its reason', async () => {
      const cancel = new AbortController();
      const reason = new Error('cancelled by a person');
      const running = usual.exec(sh('echo started; sleep 600'), {
        ...plain,
        signal: cancel.signal,
        onLine: () => cancel.abort(reason),
      });
      await expect(running).rejects.toBe(reason);
      expect((await usual.exec(['echo', 'still here'], plain)).stdout).toBe('still here\n');
    });

    it('is not even started when the signal was aborted before', async () => {
      const reason = new Error('cancelled earlier');
      const signal = AbortSignal.abort(reason);
      await expect(usual.exec(['echo'], { ...plain, signal })).rejects.toBe(reason);
      await expect(usual.execFresh(['echo'], { ...plain, signal })).rejects.toBe(reason);
    });
  });

  describe('the connection', () => {
    it('is replaced when given-up commands hold all its sessions on the host, and what runs over it goes on', async () => {
      const host = hostOf(server);
      const release = new AbortController();
      await host.exec(['true'], plain);
      const long = host.exec(['sleep', '600'], { ...plain, signal: release.signal });
      for (let hung = 0; hung < 12; hung++) {
        const cancel = new AbortController();
        const started = { ...plain, signal: cancel.signal, onLine: () => cancel.abort(new Error('given up')) };
        await expect(host.exec(sh('echo started; sleep 600'), started)).rejects.toThrow('given up');
      }
      expect((await host.exec(['echo', 'a'], plain)).stdout).toBe('a\n');
      release.abort(new Error('still ran'));
      await expect(long).rejects.toThrow('still ran');
    });

    it('is one for all commands, however many begin at the same time', async () => {
      const host = hostOf(server);
      const before = server.connections();
      const results = await Promise.all(
        Array.from({ length: 25 }, async (_, i) => (await host.exec(['echo', String(i)], plain)).stdout.trim()),
      );
      expect(results).toEqual(Array.from({ length: 25 }, (_, i) => String(i)));
      expect(server.connections()).toBe(before + 1);
    });

    it('is a new one for every execFresh', async () => {
      const host = hostOf(server);
      await host.exec(['true'], plain);
      const before = server.connections();
      await host.execFresh(['true'], plain);
      await host.execFresh(['true'], plain);
      expect(server.connections()).toBe(before + 2);
    });

    it('when it breaks under a command fails that command as LinkLost, and the next call gets a new one', async () => {
      const host = hostOf(server);
      const running = host.exec(sh('echo started; sleep 600'), { ...plain, onLine: () => server.dropLinks() });
      await expect(running).rejects.toMatchObject({ type: 'LinkLost' });
      expect((await host.exec(['echo', 'again'], plain)).stdout).toBe('again\n');
    });

    it('is not used after the provider was closed', async () => {
      const hosts = provider();
      const host = hosts.get(spec(server));
      await host.exec(['true'], plain);
      await hosts.close();
      await expect(host.exec(['true'], plain)).rejects.toMatchObject({ type: 'LinkLost' });
    });
  });

  describe('a stream to an address on the host', () => {
    it('carries bytes both ways', async () => {
      const echo = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
      await once(echo, 'listening');
      const stream = await usual.openStream('127.0.0.1', (echo.address() as AddressInfo).port);
      stream.end('there and back');
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      expect(text).toBe('there and back');
      echo.close();
    });

    it('fails by the address when nothing listens there', async () => {
      await expect(usual.openStream('127.0.0.1', 1)).rejects.toMatchObject({
        name: 'AddressUnreachable',
        message: expect.stringContaining('127.0.0.1:1'),
      });
    });
  });

  describe('the host key', () => {
    const name = (): string => `[127.0.0.1]:${server.port}`;

    it('that is not pinned stops everything and is shown', async () => {
      const host = hostOf(server, { knownHosts: knownHosts(['elsewhere ssh-ed25519 AAAA']) });
      await expect(host.exec(['true'], plain)).rejects.toMatchObject({
        type: 'HostKeyUnknown',
        message: expect.stringContaining(printOf(server.hostKeys[0] ?? '')),
      });
    });

    it('that differs from the pinned one stops everything, with both fingerprints', async () => {
      const pinned = otherKey();
      const host = hostOf(server, { knownHosts: knownHosts([`${name()} ${pinned}`]) });
      for (const call of ['exec', 'execFresh'] as const) {
        const error: unknown = await host[call](['true'], plain).catch((e: unknown) => e);
        expect(error).toMatchObject({ type: 'HostKeyChanged' });
        const shown = server.hostKeys.map(printOf).filter((print) => String(error).includes(print));
        expect(shown).toHaveLength(1);
        expect(String(error)).toContain(printOf(pinned));
      }
    });

    it('that is revoked stops everything', async () => {
      const lines = server.hostKeys.flatMap((key) => [`${name()} ${key}`, `@revoked * ${key}`]);
      await expect(hostOf(server, { knownHosts: knownHosts(lines) }).exec(['true'], plain)).rejects.toMatchObject({
        type: 'HostKeyChanged',
        message: expect.stringContaining('@revoked'),
      });
    });

    it('is asked for in the pinned type', async () => {
      for (const key of server.hostKeys) {
        const host = hostOf(server, { knownHosts: knownHosts([`${name()} ${key}`]) });
        expect((await host.exec(['true'], plain)).exitCode).toBe(0);
      }
    });

    it('is trusted again once a person has corrected the file', async () => {
      const path = knownHosts([]);
      const host = hostOf(server, { knownHosts: path });
      await expect(host.exec(['true'], plain)).rejects.toMatchObject({ type: 'HostKeyUnknown' });
      writeFileSync(path, `${name()} ${server.hostKeys[0]}\n`);
      expect((await host.exec(['true'], plain)).exitCode).toBe(0);
    });

    it('cannot be checked without the file, which the error names', async () => {
      await expect(
        hostOf(server, { knownHosts: '/nonexistent/known_hosts' }).exec(['true'], plain),
      ).rejects.toMatchObject({
        type: 'HostKeyUnknown',
        message: expect.stringContaining(
          '/nonexistent/known_hosts: nothing (left out: the file cannot be read (ENOENT))',
        ),
      });
    });
  });

  describe('the login', () => {
    const keyFile = (name: string, content: string): SecretRef => {
      const path = join(directory, name);
      writeFileSync(path, content, { mode: 0o600 });
      return `file:${path}`;
    };

    it('with a key the host does not know is refused', async () => {
      const key = keyFile('stranger', makeKeyPair().private);
      await expect(hostOf(server, { key }).exec(['true'], plain)).rejects.toMatchObject({
        type: 'AuthenticationFailed',
      });
    });

    it.each<[string, () => string, string]>([
      ['is encrypted', () => makeKeyPair('swordfish').private, 'passphrase'],
      ['is no key', () => 'not a key', 'not a private key'],
      ['is the public half', () => otherKey(), 'is a public key'],
    ])('says clearly that the key %s', async (what, content, words) => {
      const key = keyFile(what.replaceAll(' ', '-'), content());
      await expect(hostOf(server, { key }).exec(['true'], plain)).rejects.toMatchObject({
        type: 'SecretUnreadable',
        message: expect.stringMatching(new RegExp(`${key}.*${words}`)),
      });
    });

    it('without an agent and without a key says what is missing', async () => {
      await withAgentSocket(undefined, async () => {
        await expect(hostOf(server, { key: null }).exec(['true'], plain)).rejects.toMatchObject({
          type: 'AuthenticationFailed',
          message: expect.stringContaining('SSH_AUTH_SOCK'),
        });
      });
    });

    it('with an agent that is gone says so', async () => {
      await withAgentSocket('/nonexistent/agent', async () => {
        await expect(hostOf(server, { key: null }).exec(['true'], plain)).rejects.toMatchObject({
          type: 'AuthenticationFailed',
          message: expect.stringContaining('agent'),
        });
      });
    });

    it('uses the keys of a real ssh-agent', async () => {
      const socket = join(directory, `agent-${server.port}`);
      const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(agent.stdout, 'data');
      try {
        spawnSync('ssh-add', ['-q', server.userKey], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
        await withAgentSocket(socket, async () => {
          expect((await hostOf(server, { key: null }).exec(['true'], plain)).exitCode).toBe(0);
        });
      } finally {
        agent.kill();
      }
    });
  });
}

async function withAgentSocket(socket: string | undefined, body: () => Promise<void>): Promise<void> {
  const before = process.env['SSH_AUTH_SOCK'];
  const set = (value: string | undefined): void => {
    if (value === undefined) delete process.env['SSH_AUTH_SOCK'];
    else process.env['SSH_AUTH_SOCK'] = value;
  };
  set(socket);
  try {
    await body();
  } finally {
    set(before);
  }
}

describe('over a server in this process', () => {
  conformance(() => startSsh2Server());
});
describeWith('over OpenSSH', ['sshd', 'ssh-keygen'], 'openssh-server', () => {
  conformance(startOpenSshServer);
});
