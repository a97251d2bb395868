import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startChild, SUPERVISOR } from './child.js';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'child-'))));
afterEach(() => rm(folder, { recursive: true }));

describe('startChild', () => {
  it('says how the child ended and what it printed', async () => {
    const child = startChild(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(await child.exited).toEqual({ code: 7, signal: null });
    expect(child.output().split('\n').toSorted()).toEqual(['err', 'out']);
  });

  it('says when a signal ended the child', async () => {
    expect(await startChild(['sh', '-c', 'kill -9 $$']).exited).toEqual({ code: null, signal: 'signal 9' });
  });

  it('says when there is no such program', async () => {
    const child = startChild(['/no/such/program']);
    expect(await child.exited).toEqual({ code: 127, signal: null });
    expect(child.output()).toContain('/no/such/program');
  });

  it('stops with SIGTERM, so that the child can end in order', async () => {
    const child = startChild([
      'sh',
      '-c',
      'trap "echo in order; exit 0" TERM; echo ready; while :; do sleep 0.05; done',
    ]);
    await until(() => child.output() === 'ready');
    await child.stop();
    expect(child.output()).toBe('ready\nin order');
  });

  it('stops a child that has ended already', async () => {
    const child = startChild(['true']);
    await child.exited;
    await expect(child.stop()).resolves.toBeUndefined();
  });

  it('kills like a crash: the child has no time for anything', async () => {
    const child = startChild([
      'sh',
      '-c',
      'trap "echo in order; exit 0" TERM; echo ready; while :; do sleep 0.05; done',
    ]);
    await until(() => child.output() === 'ready');
    child.kill();
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(child.output()).toBe('ready');
    expect(() => child.kill()).not.toThrow();
  });

  it('writes everything to the log file too', async () => {
    const logFile = join(folder, 'log');
    const child = startChild(['echo', 'hello'], { logFile });
    await child.exited;
    await expect.poll(() => readFile(logFile, 'utf8')).toBe('hello\n');
  });

  it('ends the child even when we are killed and can do nothing about it', async () => {
    // A process that holds the only pipe, as we do; what runs under it is the same supervisor.
    const pidFile = join(folder, 'pid');
    const script = join(folder, 'parent.mjs');
    await writeFile(
      script,
      `import { spawn } from 'node:child_process';
       spawn('/bin/sh', ['-c', ${JSON.stringify(SUPERVISOR)}, 'sh', '1', 'sh', '-c', 'echo $$ > ${pidFile}; exec sleep 600'],
         { stdio: ['pipe', 'pipe', 'pipe', 'ignore', 'pipe'], detached: true });`,
    );
    const parent = spawn(process.execPath, [script]);
    let pid = 0;
    await until(async () => (pid = Number(await readFile(pidFile, 'utf8').catch(() => 0))) > 0);
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await until(() => !isAlive(pid));
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The test's own timeout ends it. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}
