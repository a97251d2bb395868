import { createServer } from 'node:net';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRack, type Rack, type SimulatedHost } from '../index.js';
import { TestClient } from '../testing/client.js';
import { makeKeyPair } from './keys.js';

describe('the SSH server of a host', () => {
  let rack: Rack;
  let host: SimulatedHost;

  beforeAll(async () => {
    rack = await startRack({ hosts: [{ name: 'h', bootMilliseconds: 10, shutdownMilliseconds: 10 }] });
    host = rack.host('h');
  });
  afterAll(() => rack.close());

  function attempt(options: ssh2.ConnectConfig): Promise<string> {
    const client = new ssh2.Client();
    return new Promise((resolve) => {
      client.once('ready', () => {
        client.end();
        resolve('ready');
      });
      client.once('error', (error) => resolve(error.message));
      client.connect({ host: host.ssh.host, port: host.ssh.port, username: 'ubuntu', ...options });
    });
  }

  it('lets in only users with a key in authorized_keys', async () => {
    expect(await attempt({ privateKey: rack.clientKey })).toBe('ready');
    expect(await attempt({ privateKey: makeKeyPair().privateKey })).toContain('authentication methods failed');
    expect(await attempt({ username: 'root', privateKey: rack.clientKey })).toContain('authentication methods failed');
    expect(await attempt({ password: 'ubuntu' })).toContain('authentication methods failed');
  });

  it('shows the key of the known_hosts line', async () => {
    let shown = '';
    await attempt({
      privateKey: rack.clientKey,
      hostVerifier: (key: Buffer) => ((shown = key.toString('base64')), true),
    });
    expect(rack.knownHosts).toBe(`[127.0.0.1]:${host.ssh.port} ssh-ed25519 ${shown}\n`);
  });

  it('forwards streams to ports that the host listens on, and to no other', async () => {
    const echo = createServer((socket) => socket.pipe(socket));
    const port = await new Promise<number>((resolve) => {
      echo.listen(0, '127.0.0.1', () => {
        const address = echo.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    (host as unknown as { ports: Map<number, number> }).ports.set(7000, port);
    const client = await TestClient.connect(rack, host);
    const forward = (to: number): Promise<string> =>
      new Promise((resolve) => {
        client.connection.forwardOut('127.0.0.1', 1, '127.0.0.1', to, (error, stream) => {
          if (error !== undefined) {
            resolve('refused');
            return;
          }
          stream.once('data', (chunk: Buffer) => {
            stream.end();
            resolve(chunk.toString());
          });
          stream.once('close', () => resolve('broken'));
          stream.write('echo');
        });
      });
    expect(await forward(7000)).toBe('echo');
    expect(await forward(7001)).toBe('refused');
    rack.faults.add({ at: 'forward', match: '127.0.0.1:7000', effect: { kind: 'drop-link', when: 'before' } });
    expect(await forward(7000)).toBe('broken');
    client.close();
    echo.close();
  });

  it('passes signals on, and tells which one ended a command', async () => {
    const client = await TestClient.connect(rack, host);
    const ended = await new Promise<unknown[]>((resolve, reject) => {
      client.connection.exec('sleep 100', (error, channel) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        channel.on('exit', (...args: unknown[]) => resolve(args));
        channel.resume();
        // ssh2 sends no signal once standard input has ended.
        channel.signal('TERM');
        channel.end();
      });
    });
    expect(ended.slice(0, 2)).toEqual([null, 'SIGTERM']);
    client.close();
  });

  it('refuses connections while the host boots, at the same port', async () => {
    const { port } = host.ssh;
    host.powerOff();
    expect(await attempt({ privateKey: rack.clientKey })).toContain('ECONNREFUSED');
    host.powerOn();
    await host.waitFor(({ isUp }) => isUp);
    expect(host.ssh.port).toBe(port);
    expect(await attempt({ privateKey: rack.clientKey })).toBe('ready');
  });

  it('stays silent after a power cut where the rack says so, until the host is back', async () => {
    const other = await startRack({ hosts: [{ name: 'quiet', bootMilliseconds: 10, silentPowerCut: true }] });
    const quiet = other.host('quiet');
    const client = new ssh2.Client();
    const lost = new Promise<string>((resolve) => {
      client.once('error', (error) => resolve(error.message));
    });
    await new Promise<void>((resolve) => {
      client.once('ready', () => resolve());
      client.connect({
        host: quiet.ssh.host,
        port: quiet.ssh.port,
        username: 'ubuntu',
        privateKey: other.clientKey,
        keepaliveInterval: 50,
        keepaliveCountMax: 2,
      });
    });
    quiet.powerCut();
    expect(await lost).toBe('Keepalive timeout');
    await other.close();
  });
});
