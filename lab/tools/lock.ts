/**
 * One process at a time gets a tool; the others wait for it instead of building the same thing. Nothing breaks without the lock,
 * since a tool is moved into place whole: it only saves minutes. So a lock left by a dead process may simply be taken over.
 * @module
 */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 500;
/** Between creating the file and writing the pid nobody is dead; afterwards an empty file is a leftover. */
const EMPTY_IS_YOUNG_MS = 10_000;

/** Runs `action` while no other process holds `path`. `onWait` is called once if another one does. */
export async function withLock<T>(path: string, onWait: (pid: number) => void, action: () => Promise<T>): Promise<T> {
  let told = false;
  while (!(await take(path))) {
    const holder = await holderOf(path);
    if (holder === 'nobody') {
      await rm(path, { force: true });
      continue;
    }
    if (!told && holder !== 'starting') {
      told = true;
      onWait(holder);
    }
    await delay(POLL_MS);
  }
  try {
    return await action();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function holderOf(path: string): Promise<number | 'nobody' | 'starting'> {
  try {
    const pid = Number(await readFile(path, 'utf8'));
    if (pid > 0) return isAlive(pid) ? pid : 'nobody';
    return Date.now() - (await stat(path)).mtimeMs < EMPTY_IS_YOUNG_MS ? 'starting' : 'nobody';
  } catch {
    return 'nobody';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
