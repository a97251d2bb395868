/**
 * An SSH server in this process that runs commands with a real /bin/sh, and can misbehave on the wire in ways sshd never would.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { makeKeyPair } from './key-pair.js';
import type { TestSshServer } from './ssh-server.js';

export interface Ssh2ServerOptions {
  readonly user?: string;
  /** Answers a command instead of /bin/sh. */
  readonly respond?: (channel: ServerChannel, command: string) => void;
  /** Says this before the login and closes the connection when the login is tried, as sshd does for pam_nologin. */
  readonly nologin?: string;
  /** Uid that commands run as; needs root. */
  readonly uid?: number;
  /** false refuses connections through it, as AllowTcpForwarding no does. */
  readonly forwards?: boolean;
  /** Port of this machine that plays an address which only the server reaches; null for every other address. */
  readonly route?: (host: string, port: number) => number | null;
}

export interface Ssh2TestServer extends TestSshServer {
  /** Command lines received, in order. */
  readonly commands: readonly string[];
  /** Stops reading and answering on every connection, as a host does that lost its power: no packet says so. */
  freezeLinks(): void;
  /** Connections that are open now. */
  open(): number;
  /** Resolves when the client has closed a channel whose command was still running. */
  readonly channelClosed: Promise<void>;
}

export async function startSsh2Server(options: Ssh2ServerOptions = {}): Promise<Ssh2TestServer> {
  const { user = 'root' } = options;
  const host = makeKeyPair();
  const login = makeKeyPair();
  const authorized = ssh2.utils.parseKey(login.public);
  if (authorized instanceof Error) throw authorized;
  const directory = mkdtempSync(join(tmpdir(), 'ssh2-server-'));
  const userKey = join(directory, 'user');
  writeFileSync(userKey, login.private, { mode: 0o600 });

  const sockets = new Set<Socket>();
  const commands: string[] = [];
  let connections = 0;
  let channelClosed = (): void => {};
  const closed = new Promise<void>((resolve) => {
    channelClosed = resolve;
  });

  const server = new ssh2.Server({ hostKeys: [host.private], ...(options.nologin ? { banner: options.nologin } : {}) });
  server.on('connection', (client: Connection) => {
    client.on('error', () => {});
    client.on('authentication', (ctx) => {
      if (options.nologin !== undefined) {
        client.end();
        return;
      }
      const mayLogIn =
        ctx.method === 'publickey' && ctx.username === user && ctx.key.data.equals(authorized.getPublicSSH());
      if (!mayLogIn) return ctx.reject(['publickey']);
      if (ctx.signature && ctx.blob && !authorized.verify(ctx.blob, ctx.signature, ctx.hashAlgo)) {
        return ctx.reject();
      }
      ctx.accept();
    });
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, { command }) => {
        commands.push(command);
        const channel = acceptExec();
        if (options.respond) {
          channel.on('close', channelClosed);
          options.respond(channel, command);
        } else {
          runShell(channel, command, options.uid, channelClosed);
        }
      });
    });
    // Without a listener ssh2 answers that it is prohibited.
    if (options.forwards === false) return;
    client.on('tcpip', (accept, reject, { destIP, destPort }) => {
      const routed = options.route?.(destIP, destPort) ?? null;
      const socket = routed === null ? connect(destPort, destIP) : connect(routed, '127.0.0.1');
      socket.once('error', () => reject());
      socket.once('connect', () => {
        const channel = accept();
        socket.pipe(channel).pipe(socket);
        // A pipe ends nothing when its source breaks; sshd says that there is no more.
        socket.once('close', () => channel.end());
        channel.once('close', () => socket.destroy());
      });
    });
  });

  const tcp = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    server.injectSocket(socket);
  });
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');

  return {
    port: (tcp.address() as AddressInfo).port,
    user,
    hostKeys: [host.public.split(' ').slice(0, 2).join(' ')],
    userKey,
    commands,
    channelClosed: closed,
    connections: () => connections,
    open: () => sockets.size,
    dropLinks() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    freezeLinks() {
      for (const socket of sockets) {
        socket.removeAllListeners('data');
        socket.pause();
      }
    },
    async close() {
      const gone = once(tcp, 'close');
      tcp.close();
      for (const socket of sockets) socket.destroy();
      await gone;
      rmSync(directory, { recursive: true });
    },
  };
}

function runShell(channel: ServerChannel, command: string, uid: number | undefined, onClosedEarly: () => void): void {
  const child = spawn('/bin/sh', ['-c', command], { detached: true, ...(uid === undefined ? {} : { uid, gid: uid }) });
  let running = true;
  channel.pipe(child.stdin);
  child.stdin.on('error', () => {});
  child.stdout.on('data', (chunk: Buffer) => channel.write(chunk));
  child.stderr.on('data', (chunk: Buffer) => channel.stderr.write(chunk));
  child.on('close', (code, signal) => {
    running = false;
    if (code === null) channel.exit(signal?.slice('SIG'.length) ?? 'TERM');
    else channel.exit(code);
    channel.end();
  });
  channel.on('close', () => {
    if (!running) return;
    onClosedEarly();
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  });
}
