import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { getTool, type Route, type Tool } from './tool.js';
import { isExecutable, type Workshop } from './workshop.js';

let root: string;
let reports: string[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tool-'));
  reports = [];
});
afterEach(() => rm(root, { recursive: true }));

async function executable(path: string): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, 0o755);
  return path;
}

function workshop(env: Workshop['env'] = {}): Workshop {
  return {
    env: { PATH: join(root, 'bin'), ...env },
    platform: 'linux',
    arch: 'x64',
    cacheDir: join(root, 'cache'),
    fetch: () => Promise.reject(new Error('not in this test')),
    run: () => Promise.reject(new Error('not in this test')),
    report: (line) => reports.push(line),
  };
}

const works = (name: string): Route => ({
  name,
  install: async (folder) => void (await executable(join(folder, 'hammer'))),
});
const fails = (name: string, reason: string): Route => ({ name, install: () => Promise.reject(new Error(reason)) });

function hammer(overrides: Partial<Tool> = {}): Tool {
  return {
    title: 'Hammer 2.0',
    command: 'hammer',
    variable: 'TEST_HAMMER',
    folder: 'hammer-2.0',
    reasonAgainst: async () => null,
    routes: [works('download')],
    remedies: ['buy a hammer'],
    ...overrides,
  };
}

const cached = (): string => join(root, 'cache', 'hammer-2.0', 'hammer');

describe('getTool', () => {
  it('takes what the variable names before what is in PATH, in the cache or to be had', async () => {
    const own = await executable(join(root, 'own', 'hammer'));
    await executable(join(root, 'bin', 'hammer'));
    await executable(cached());
    expect(await getTool(hammer(), workshop({ TEST_HAMMER: own }))).toBe(own);
  });

  it('refuses a variable that names nothing usable, instead of quietly taking another one', async () => {
    await executable(join(root, 'bin', 'hammer'));
    await expect(getTool(hammer(), workshop({ TEST_HAMMER: '/nowhere/hammer' }))).rejects.toThrow(
      'TEST_HAMMER is /nowhere/hammer: no executable file. Correct it, or unset it.',
    );
  });

  it('takes what is in PATH before what is in the cache', async () => {
    const installed = await executable(join(root, 'bin', 'hammer'));
    await executable(cached());
    expect(await getTool(hammer(), workshop())).toBe(installed);
  });

  it('passes over one in PATH that is too old, and over a folder of that name', async () => {
    await executable(join(root, 'bin', 'hammer'));
    const tool = hammer({ reasonAgainst: async (path) => (path.includes('/bin/') ? 'too old' : null) });
    expect(await getTool(tool, workshop())).toBe(cached());
    await rm(join(root, 'bin', 'hammer'));
    await mkdir(join(root, 'bin', 'hammer'));
    expect(await getTool(tool, workshop())).toBe(cached());
  });

  it('takes the routes in order, says so, and keeps the result', async () => {
    const tool = hammer({ routes: [fails('download', 'no network'), works('build'), fails('third', 'never asked')] });
    expect(await getTool(tool, workshop())).toBe(cached());
    expect(reports).toEqual([
      'Hammer 2.0: trying download',
      'Hammer 2.0: download did not work: no network',
      'Hammer 2.0: trying build',
      `Hammer 2.0: ready, kept in ${join(root, 'cache', 'hammer-2.0')}`,
    ]);
    expect(await getTool(hammer({ routes: [] }), workshop())).toBe(cached());
  });

  it('never shows a tool that is half built, and leaves nothing of it behind', async () => {
    const dies: Route = {
      name: 'build',
      install: async (folder) => {
        await executable(join(folder, 'hammer'));
        expect(await isExecutable(cached())).toBe(false);
        throw new Error('power cut');
      },
    };
    await expect(getTool(hammer({ routes: [dies] }), workshop())).rejects.toThrow('power cut');
    expect(await readdir(join(root, 'cache'))).toEqual([]);
  });

  it('does not keep what turns out unusable', async () => {
    const tool = hammer({ reasonAgainst: async () => 'wrong processor' });
    await expect(getTool(tool, workshop())).rejects.toThrow('download gave something unusable: wrong processor');
    expect(await readdir(join(root, 'cache'))).toEqual([]);
  });

  it('builds once when two ask at the same time', async () => {
    let built = 0;
    let release: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const slow: Route = {
      name: 'build',
      install: async (folder) => {
        built += 1;
        await gate;
        await executable(join(folder, 'hammer'));
      },
    };
    const bothAsked = new Promise<void>((resolve) => {
      const wait = setInterval(() => {
        if (!reports.some((line) => line.includes('waiting for that'))) return;
        clearInterval(wait);
        resolve();
      }, 5);
    });
    const both = Promise.all([
      getTool(hammer({ routes: [slow] }), workshop()),
      getTool(hammer({ routes: [slow] }), workshop()),
    ]);
    await bothAsked;
    release?.();
    expect(await both).toEqual([cached(), cached()]);
    expect(built).toBe(1);
    expect(reports).toContain(`Hammer 2.0: process ${process.pid} is getting it; waiting for that`);
  });

  it('takes over the lock of a process that is gone', async () => {
    await mkdir(join(root, 'cache'));
    await writeFile(join(root, 'cache', 'hammer-2.0.lock'), '999999999');
    expect(await getTool(hammer(), workshop())).toBe(cached());
  });

  it('says in one message everything that was tried and what helps', async () => {
    const tool = hammer({
      routes: [fails('download', 'no route to host'), fails('go install', 'no go in PATH\nsecond line')],
    });
    await expect(getTool(tool, workshop())).rejects.toThrow(
      [
        'Hammer 2.0 is needed and could not be got. Tried:',
        '  TEST_HAMMER  not set',
        '  PATH         no hammer',
        '  download     no route to host',
        '  go install   no go in PATH',
        '               second line',
        'Any one of these helps:',
        '  - buy a hammer',
        '  - set TEST_HAMMER to the path of the executable',
      ].join('\n'),
    );
  });
});
