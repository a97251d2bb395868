import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { describeWith } from '../../test/support/skip-unless.js';
import { goCommand } from './go.js';
import { findInPath, isExecutable, thisMachine, type Workshop } from './workshop.js';

let root: string;
let asked: { url: string; authorization: string | null }[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'go-tool-'));
  asked = [];
});
afterEach(() => rm(root, { recursive: true }));

/** A machine whose `go`, if it has one, gives this answer, and whose module proxies have something else than toolchains. */
function machine(answer: string | null, own: Partial<Workshop> = {}): Workshop {
  return {
    env: { PATH: join(root, 'bin') },
    platform: 'linux',
    arch: 'x64',
    cacheDir: join(root, 'cache'),
    fetch: async (url, options) => {
      const request = new Request(url, options);
      asked.push({ url: request.url, authorization: request.headers.get('authorization') });
      return new Response('not a toolchain');
    },
    run: ([path]) => (answer === null ? Promise.reject(new Error(`no ${path}`)) : Promise.resolve(answer)),
    report: () => undefined,
    ...own,
  };
}

async function installGo(): Promise<string> {
  await mkdir(join(root, 'bin'));
  const path = join(root, 'bin', 'go');
  await writeFile(path, '', { mode: 0o755 });
  return path;
}

describe('goCommand', () => {
  it.each([
    'go version go1.21.0 linux/amd64',
    'go version go1.26.8 linux/arm64',
    'go version devel go1.27-4f8ea2b linux/amd64',
  ])('is the one in PATH that says: %s', async (answer) => {
    const installed = await installGo();
    expect(await goCommand(machine(answer))).toBe(installed);
    expect(asked).toEqual([]);
  });

  it.each([
    ['go version go1.20.14 linux/amd64', 'is Go 1.20, older than 1.21'],
    ['go version go1.18 gccgo (Ubuntu 13.2.0) 13.2.0 linux/amd64', 'is Go 1.18, older than 1.21'],
    ['Usage: go [options] file.pgn', 'does not answer as Go: Usage: go'],
  ])('is not one in PATH that says: %s', async (answer, why) => {
    const installed = await installGo();
    await expect(goCommand(machine(answer))).rejects.toThrow(`${installed}: ${why}`);
    expect(asked).toHaveLength(1);
  });

  it.each([
    [undefined, ['https://proxy.golang.org']],
    ['', ['https://proxy.golang.org']],
    ['https://a.example/goproxy/,direct', ['https://a.example/goproxy']],
    ['https://a.example|http://b.example:8081,off,https://c.example', ['https://a.example', 'http://b.example:8081']],
  ])('is asked for, with GOPROXY %j, at %j', async (setting, proxies) => {
    const env = { PATH: '', ...(setting === undefined ? {} : { GOPROXY: setting }) };
    const failure = goCommand(machine(null, { env }));
    const path = /golang\.org\/toolchain\/@v\/v0\.0\.1-go1\.\d+\.\d+\.linux-amd64\.zip/;
    for (const proxy of proxies) {
      await expect(failure).rejects.toThrow(new RegExp(`${proxy}/${path.source}: SHA-256 is .*; not used`));
    }
    expect(asked.map(({ url }) => url)).toEqual(
      proxies.map((proxy) => expect.stringMatching(new RegExp(`^${proxy}/${path.source}$`))),
    );
  });

  it('gives a proxy the user and password in its address, and nobody else', async () => {
    const env = { PATH: '', GOPROXY: 'https://me:s%40cret@a.example' };
    const failure = await goCommand(machine(null, { env })).catch(String);
    expect(asked).toEqual([
      {
        url: expect.stringMatching(/^https:\/\/a\.example\//),
        authorization: `Basic ${Buffer.from('me:s@cret').toString('base64')}`,
      },
    ]);
    expect(failure).toContain('https://a.example/');
    expect(failure).not.toMatch(/s%40cret|s@cret/);
  });

  it.each(['off', 'direct', 'off,https://a.example', 'file:///srv/modules', 'https://'])(
    'says what is wrong with GOPROXY=%s',
    async (setting) => {
      await expect(goCommand(machine(null, { env: { PATH: '', GOPROXY: setting } }))).rejects.toThrow(
        `GOPROXY is ${setting}: expected the address of a Go module proxy, such as https://proxy.golang.org`,
      );
      expect(asked).toEqual([]);
    },
  );

  it('says for which machines there is one', async () => {
    await expect(goCommand(machine(null, { platform: 'freebsd' }))).rejects.toThrow(
      'no toolchain is pinned for freebsd-amd64, only for linux-amd64, linux-arm64, darwin-amd64, darwin-arm64',
    );
  });

  it('is new enough for the sources that it has to build, since it fetches no other', async () => {
    await goCommand(machine(null)).catch(() => undefined);
    const pinned = /-go1\.(\d+)\.(\d+)\./.exec(asked[0]?.url ?? '');
    const needed = /^go 1\.(\d+)\.(\d+)$/m.exec(
      await readFile(new URL('kube-apiserver/go.mod', import.meta.url), 'utf8'),
    );
    const number = (found: RegExpExecArray | null): number => Number(found?.[1]) * 1000 + Number(found?.[2]);
    expect(number(pinned)).toBeGreaterThanOrEqual(number(needed));
  });
});

/** 70 MB, once: the installed Go keeps what it downloaded. */
const GET_LIMIT_MS = 10 * 60_000;

describeWith('the Go that a module proxy serves', ['go'], 'golang (1.21 or newer)', () => {
  let proxy: Server;
  beforeAll(async () => {
    proxy = createServer((request, response) => {
      void zipOf(request.url ?? '').then(
        (zip) => createReadStream(zip).pipe(response),
        (error: unknown) => response.writeHead(404).end(String(error)),
      );
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => proxy.close(resolve)));

  /** A proxy has what it is asked for from the next one; here the installed Go gets it, and checks it by the sum database. */
  async function zipOf(path: string): Promise<string> {
    const version = /^\/golang\.org\/toolchain\/@v\/(v[\w.-]+)\.zip$/.exec(path)?.[1] ?? 'none';
    const answer = await thisMachine().run(['go', 'mod', 'download', '-json', `golang.org/toolchain@${version}`], {
      cwd: root,
      env: { GOFLAGS: '', GOWORK: 'off' },
      timeoutSeconds: 500,
    });
    // As `go help mod download` documents.
    return (JSON.parse(answer.slice(answer.indexOf('{'))) as { Zip: string }).Zip;
  }

  /** This machine, without the Go that is installed. */
  async function withoutGo(): Promise<Workshop> {
    const folders = (process.env['PATH'] ?? '').split(delimiter);
    const kept = await Promise.all(folders.map(async (folder) => !(await isExecutable(join(folder, 'go')))));
    const address = proxy.address();
    const GOPROXY = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const PATH = folders.filter((_, index) => kept[index]).join(delimiter);
    const env = { ...process.env, PATH, GOPROXY, GPU_PROVISION_GO: '' };
    expect(await findInPath('go', env)).toBeNull();
    return { ...thisMachine(), env, cacheDir: join(root, 'cache') };
  }

  it(
    'builds a program, whatever variables say for another Go',
    async () => {
      // What a proxy is asked for; minutes go by on a slow line, and a proxy that answers nothing for that long is given up.
      await goCommand(machine(null, { platform: process.platform, arch: process.arch })).catch(() => undefined);
      await zipOf(new URL(asked[0]?.url ?? '').pathname);
      const workshop = await withoutGo();
      const go = await goCommand(workshop);
      const version = /\/go-([\d.]+)\/go$/.exec(go)?.[1];
      const run = (...args: string[]): Promise<string> =>
        workshop.run([go, ...args], {
          cwd: root,
          env: { GOROOT: '/nowhere', GOTOOLCHAIN: 'go1.99.0', GOFLAGS: '-no-such-flag' },
          timeoutSeconds: 240,
        });
      expect(await run('version')).toContain(`go version go${version} `);
      await writeFile(join(root, 'main.go'), 'package main\n\nfunc main() { println("built") }\n');
      await run('build', '-o', 'program', 'main.go');
      expect(await workshop.run([join(root, 'program')], { timeoutSeconds: 30 })).toBe('built');
    },
    GET_LIMIT_MS,
  );
});
