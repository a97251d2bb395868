/**
 * A real OpenSSH server on a loopback port with keys of its own, run by the user who runs the tests.
 * @module
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from './skip-unless.js';
import type { TestSshServer } from './ssh-server.js';

/** Where a sshd that is started as root wants an empty directory; the package's service makes it, a bare install doesn't. */
const PRIVSEP_DIRECTORY = '/run/sshd';

/** `forwards: false` refuses connections through it. */
export async function startOpenSshServer({ forwards = true } = {}): Promise<TestSshServer> {
  const directory = mkdtempSync(join(tmpdir(), 'sshd-'));
  const file = (name: string): string => join(directory, name);
  const makeKey = (name: string, type: string): string => {
    spawnSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', '', '-f', file(name)]);
    return readFileSync(file(`${name}.pub`), 'utf8').trim();
  };
  const hostKeys = [makeKey('host-ed25519', 'ed25519'), makeKey('host-ecdsa', 'ecdsa')];
  writeFileSync(file('authorized_keys'), makeKey('user', 'ed25519'));
  if (process.getuid?.() === 0) mkdirSync(PRIVSEP_DIRECTORY, { recursive: true });

  const port = await freePort();
  const config = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${file('host-ed25519')}`,
    `HostKey ${file('host-ecdsa')}`,
    `AuthorizedKeysFile ${file('authorized_keys')}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    `AllowTcpForwarding ${forwards ? 'yes' : 'no'}`,
    // One line for each accepted connection.
    'LogLevel VERBOSE',
  ];
  writeFileSync(file('sshd_config'), `${config.join('\n')}\n`);
  const sshd = spawn(findProgram('sshd') ?? 'sshd', ['-D', '-e', '-f', file('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const connections = await listening(sshd);

  return {
    port,
    user: userInfo().username,
    hostKeys,
    userKey: file('user'),
    connections,
    dropLinks() {
      for (const pid of descendantsOf(sshd.pid ?? 0)) kill(pid);
    },
    async close() {
      const gone = once(sshd, 'exit');
      for (const pid of descendantsOf(sshd.pid ?? 0)) kill(pid);
      sshd.kill();
      await gone;
      rmSync(directory, { recursive: true });
    },
  };
}

/** Resolves, once sshd listens, to a counter of the connections in its log. */
async function listening(sshd: ChildProcess): Promise<() => number> {
  let connections = 0;
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    sshd.once('exit', (code) => reject(new Error(`sshd ended with ${code}: ${said.join(' | ')}`)));
    if (sshd.stderr === null) throw new Error('sshd has no stderr');
    createInterface(sshd.stderr).on('line', (line) => {
      said.push(line);
      if (line.startsWith('Connection from ')) connections += 1;
      if (line.startsWith('Server listening on ')) resolve();
    });
  });
  return () => connections;
}

/** Everything below a process, by the kernel's account: connections, their sessions and commands. */
function descendantsOf(pid: number): number[] {
  let children: number[];
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').map(Number).filter(Boolean);
  } catch {
    return [];
  }
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
