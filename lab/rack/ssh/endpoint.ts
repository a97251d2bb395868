/**
 * The SSH server of a host: one TCP port for its whole life, which refuses connections while sshd isn't running. What comes in runs
 * as a process of the host.
 * @module
 */
import { createSocket } from 'node:dgram';
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { held } from '../machine/clock.js';
import type { Kernel } from '../machine/kernel.js';
import { makeKeyPair, type KeyPair } from './keys.js';

/** Below the range the kernel gives to outgoing connections, so that nobody takes the port while its host reboots. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
/** A client that never ends the standard input of a command gets it run without one after this long. On a busy machine input is seconds late. */
const STDIN_WAIT_MS = 15_000;
const USERS: Readonly<Record<string, number>> = { root: 0, ubuntu: 1000 };

let nextPort = FIRST_PORT + ((process.pid * 131) % (LAST_PORT - FIRST_PORT));

/**
 * A port that stays ours while nothing listens on it: its UDP twin is bound for as long as the rack lives, and every rack on this
 * machine asks for that first.
 */
interface Reservation {
  readonly port: number;
  release(): void;
}

async function reservePort(): Promise<Reservation> {
  for (let tries = 0; tries < LAST_PORT - FIRST_PORT; tries += 1) {
    const port = nextPort;
    nextPort = nextPort + 1 > LAST_PORT ? FIRST_PORT : nextPort + 1;
    const twin = createSocket('udp4');
    const ours = await new Promise<boolean>((resolve) => {
      twin.once('error', () => resolve(false));
      twin.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
    });
    if (ours && (await isFree(port))) {
      twin.unref();
      return { port, release: () => twin.close() };
    }
    twin.close();
  }
  throw new Error(`no free TCP port between ${FIRST_PORT} and ${LAST_PORT}`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

export class SshEndpoint {
  private key: KeyPair = makeKeyPair();
  private listener: NetServer | null = null;
  private readonly sockets = new Set<Socket>();
  private readonly silent = new Set<Socket>();

  private constructor(private readonly reservation: Reservation) {}

  get port(): number {
    return this.reservation.port;
  }

  static async create(): Promise<SshEndpoint> {
    return new SshEndpoint(await reservePort());
  }

  get knownHostsLine(): string {
    return `[127.0.0.1]:${this.port} ${this.key.publicKey}`;
  }

  changeHostKey(): void {
    this.key = makeKeyPair();
  }

  /** sshd listens for this boot. */
  async up(kernel: Kernel): Promise<void> {
    for (const socket of this.silent) socket.destroy();
    this.silent.clear();
    const server = new ssh2.Server({ hostKeys: [this.key.privateKey], keepaliveInterval: 0 }, (client) =>
      serve(client, kernel, this),
    );
    const listener = createServer((socket) => {
      socket.setNoDelay(true);
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
      server.injectSocket(socket);
    });
    this.listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(this.port, '127.0.0.1', resolve);
    });
    kernel.life.signal.addEventListener('abort', () => listener.close(), { once: true });
    if (!kernel.alive) listener.close();
  }

  /** sshd stops; sessions go on. */
  stopListening(): void {
    this.listener?.close();
    this.listener = null;
  }

  /** For good: the port may go to somebody else. */
  close(): void {
    this.down(false);
    this.reservation.release();
  }

  /** The host is gone. Silently: peers get no answer any more instead of a reset. */
  down(silently: boolean): void {
    this.stopListening();
    for (const socket of this.sockets) {
      if (silently) {
        socket.pause();
        socket.removeAllListeners('data');
        this.silent.add(socket);
      } else {
        socket.destroy();
      }
    }
    this.sockets.clear();
  }

  /** Breaks every connection now, and leaves the host alone. */
  dropLinks(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

function serve(client: Connection, kernel: Kernel, endpoint: SshEndpoint): void {
  let uid = 1000;
  client.on('error', () => {});
  client.on('authentication', (auth) => {
    const known = USERS[auth.username];
    if (known === undefined || auth.method !== 'publickey') {
      auth.reject(['publickey']);
      return;
    }
    const home = known === 0 ? '/root' : `/home/${auth.username}`;
    const wanted = `${auth.key.algo} ${auth.key.data.toString('base64')}`;
    const authorized = kernel.alive ? (kernel.fileSystem(0).text(`${home}/.ssh/authorized_keys`) ?? '') : '';
    const line = authorized.split('\n').find((candidate) => candidate.startsWith(wanted));
    if (line === undefined) {
      auth.reject(['publickey']);
      return;
    }
    if (auth.signature !== undefined && auth.blob !== undefined) {
      const key = ssh2.utils.parseKey(line);
      if (key instanceof Error || !key.verify(auth.blob, auth.signature, auth.hashAlgo)) {
        auth.reject(['publickey']);
        return;
      }
      if (known !== 0 && kernel.fileSystem(0).entry('/run/nologin') !== undefined) {
        auth.reject(['publickey']);
        return;
      }
    }
    uid = known;
    auth.accept();
  });
  client.on('ready', () => {
    client.on('session', (acceptSession) => {
      const session = acceptSession();
      let environment: Record<string, string> = {};
      let running: { kill(signal: string): void } | null = null;
      /** A signal may come while the command still waits for its standard input. */
      let early: string | null = null;
      session.on('env', (accept, _reject, info) => {
        environment = { ...environment, [info.key]: info.val };
        (accept as (() => void) | undefined)?.();
      });
      session.on('signal', (accept, _reject, info) => {
        const name = info.name.replace(/^SIG/, '');
        if (running === null) early = name;
        else running.kill(name);
        (accept as (() => void) | undefined)?.();
      });
      session.on('exec', (accept, _reject, info) => {
        const channel = accept();
        channel.on('error', () => {});
        void runCommand(channel, info.command, uid, environment, kernel, endpoint, (process) => {
          running = process;
          if (early !== null) process.kill(early);
        });
      });
    });
    client.on('tcpip', (accept, reject, info) => {
      const local =
        info.destIP === '127.0.0.1' ||
        info.destIP === 'localhost' ||
        info.destIP === '::1' ||
        info.destIP === kernel.machine.options.nodeIP;
      const port = local
        ? kernel.machine.ports.get(info.destPort)
        : kernel.machine.clusterPort(info.destIP, info.destPort);
      if (port === undefined || port === null || !kernel.alive) {
        reject();
        return;
      }
      const socket = connect(port, '127.0.0.1');
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        const channel = accept();
        channel.on('error', () => socket.destroy());
        socket.on('error', () => channel.destroy());
        channel.pipe(socket).pipe(channel);
        channel.on('data', () => {
          const effect = kernel.machine.strike(
            'forward',
            `${info.destIP}:${info.destPort}`,
            kernel.parameters.commandLine,
          );
          if (effect?.kind === 'drop-link') endpoint.dropLinks();
        });
        const hangUp = (): void => void socket.destroy();
        kernel.life.signal.addEventListener('abort', hangUp, { once: true });
        socket.once('close', () => kernel.life.signal.removeEventListener('abort', hangUp));
      });
    });
  });
}

async function runCommand(
  channel: ServerChannel,
  command: string,
  uid: number,
  env: Readonly<Record<string, string>>,
  kernel: Kernel,
  endpoint: SshEndpoint,
  started: (process: { kill(signal: string): void }) => void,
): Promise<void> {
  const { machine } = kernel;
  try {
    const stdin = await readAll(channel);
    if (!kernel.alive) return;
    machine.noteCommand(command);
    const effect = machine.strike('ssh', command, kernel.parameters.commandLine);
    if (effect?.kind === 'drop-link' && effect.when === 'before') {
      endpoint.dropLinks();
      return;
    }
    if (effect?.kind === 'power-cut' && effect.when !== 'after') {
      machine.powerFails(effect.restoreAfterMs);
      return;
    }
    if (effect?.kind === 'hang') return;
    if (effect?.kind === 'fail' && effect.when !== 'after') {
      channel.stderr.write(`${effect.stderr ?? 'fault'}\n`);
      finish(channel, effect.exitCode ?? 1);
      return;
    }
    if (effect?.kind === 'hold' && effect.when !== 'after') await held(effect.at, kernel.life.signal);
    const from = Date.now();
    const process = kernel.spawn({ command, uid, stdin, env });
    started(process);
    if (effect?.kind === 'drop-link' && effect.when === 'during') endpoint.dropLinks();
    const end = await process.done;
    machine.busyLog.note('command', command, from);
    if (effect?.kind === 'hold' && effect.when === 'after') await held(effect.at, kernel.life.signal);
    if (effect?.kind === 'power-cut') {
      machine.powerFails(effect.restoreAfterMs);
      return;
    }
    if (effect?.kind === 'drop-link') {
      endpoint.dropLinks();
      return;
    }
    if (!kernel.alive || channel.destroyed) return;
    if (end.stdout !== '') channel.write(end.stdout);
    if (end.stderr !== '') channel.stderr.write(end.stderr);
    if (end.signal !== null) {
      channel.exit(end.signal, false, '');
      channel.end();
    } else finish(channel, effect?.kind === 'fail' ? (effect.exitCode ?? 1) : end.exitCode);
  } catch (error) {
    if (kernel.alive) machine.print(`lab: an SSH command failed: ${String(error)}`);
  }
}

function finish(channel: ServerChannel, exitCode: number): void {
  channel.exit(exitCode);
  channel.end();
}

/** The interpreter takes standard input as a whole, so a command starts when its client has sent it all. */
function readAll(channel: ServerChannel): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let timer = setTimeout(done, STDIN_WAIT_MS);
    function done(): void {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    }
    channel.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(done, STDIN_WAIT_MS);
    });
    channel.once('end', done);
    channel.once('close', done);
  });
}
