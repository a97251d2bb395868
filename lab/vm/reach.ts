/**
 * Reaching a machine of the boot lab the way a person would: OpenSSH.
 * @module
 */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { SshAccess } from './machine.js';

/** A boot takes 30 to 45 s without KVM; three times that while others work, and one fsck. */
const BOOT_TIMEOUT_MS = 180_000;
const LOOK_EVERY_MS = 1_000;

export function sshArguments(ssh: SshAccess): readonly string[] {
  const options = [
    `UserKnownHostsFile=${ssh.knownHosts}`,
    'StrictHostKeyChecking=yes',
    'BatchMode=yes',
    'ConnectTimeout=5',
    'LogLevel=ERROR',
  ];
  const flags = options.flatMap((option) => ['-o', option]);
  return ['-i', ssh.key, '-p', String(ssh.port), ...flags, `${ssh.user}@${ssh.host}`];
}

/** Output of one command of a login shell on the host, as root. Rejects with its errors unless it exits with 0. */
export function onHost(ssh: SshAccess, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh', [...sshArguments(ssh), 'sudo', 'sh', '-s'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`${command}: exit ${code}\n${err}`))));
    child.stdin.on('error', () => undefined);
    child.stdin.end(command);
  });
}

/** Seconds until SSH answers and the host has finished booting. Rejects after three minutes. */
export async function untilReachable(ssh: SshAccess): Promise<number> {
  const began = Date.now();
  for (;;) {
    try {
      await onHost(ssh, 'systemctl is-system-running --wait >/dev/null || :');
      return Math.round((Date.now() - began) / 1000);
    } catch (error) {
      if (Date.now() - began > BOOT_TIMEOUT_MS) throw error;
    }
    await delay(LOOK_EVERY_MS);
  }
}
