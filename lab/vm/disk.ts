/**
 * A machine's disk from outside, past its kernel: what GRUB would read of it now, and damage.
 * @module
 */
import { spawn } from 'node:child_process';

/** The root is the third partition; see build-image.sh. */
const GRUB_ROOT = 'loop0,gpt3';

/** A file as GRUB's own file system code reads it off the disk, without replaying the journal; null when GRUB finds none. */
export async function grubReads(disk: string, path: string): Promise<Buffer | null> {
  const { code, stdout, stderr } = await output(['grub-fstest', '-r', GRUB_ROOT, disk, 'cat', path]);
  if (code === 0) return stdout;
  if (/not found/.test(stderr)) return null;
  throw new Error(`grub-fstest cat ${path}: exit ${code}\n${stderr}`);
}

/** Cuts a file short, as a write that never reached the disk leaves it. Only while the machine is off. */
export async function truncateOnDisk(disk: string, rootOffset: number, path: string, bytes: number): Promise<void> {
  const { code, stderr } = await output([
    'debugfs',
    '-w',
    '-R',
    `sif ${path} size ${bytes}`,
    `${disk}?offset=${rootOffset}`,
  ]);
  // debugfs says what it could not do, and exits with 0. Its first line is its version.
  const said = stderr.split('\n').slice(1).join('\n').trim();
  if (code !== 0 || said !== '') throw new Error(`debugfs sif ${path}: exit ${code}\n${said}`);
}

function output(
  argv: readonly [string, ...string[]],
): Promise<{ code: number | null; stdout: Buffer; stderr: string }> {
  const [command, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // debugfs lives in sbin.
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
    });
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new Error(`no ${command} in PATH`) : error);
    });
    child.once('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
  });
}
