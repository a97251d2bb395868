import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kubeApiserver } from './kube-apiserver.js';
import type { RunOptions, Workshop } from './workshop.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kube-apiserver-tool-'));
  await mkdir(join(root, 'bin'));
  await writeFile(join(root, 'bin', 'go'), '', { mode: 0o755 });
});
afterEach(() => rm(root, { recursive: true }));

type Run = (argv: readonly string[], options: RunOptions) => Promise<string>;

function machine(run: Run, env: Readonly<Record<string, string>> = {}): Workshop {
  return {
    env: { PATH: join(root, 'bin'), ...env },
    platform: 'linux',
    arch: 'x64',
    cacheDir: join(root, 'cache'),
    fetch: () => Promise.reject(new Error('no network')),
    run,
    report: () => undefined,
  };
}

const ANSWER = 'kube-apiserver of the lab with etcd, Kubernetes v1.36.3';

/** Go, which builds a program that answers as this one. */
const go =
  (answer: string, builds: RunOptions[] = []): Run =>
  async (argv, options) => {
    if (basename(argv[0] ?? '') !== 'go') return answer;
    if (argv[1] === 'version') return 'go version go1.26.8 linux/amd64';
    builds.push(options);
    await writeFile(join(options.cwd ?? '', argv[argv.indexOf('-o') + 1] ?? ''), '', { mode: 0o755 });
    return '';
  };

describe('kubeApiserver', () => {
  it('is built in a folder of its own from the pinned sources, once', async () => {
    const builds: RunOptions[] = [];
    const path = await kubeApiserver(machine(go(ANSWER, builds)));
    expect(path).toMatch(/cache\/kube-apiserver-1\.36\.3-[0-9a-f]{12}\/lab-kube-apiserver$/);
    expect(await readFile(join(path, '..', 'go.mod'), 'utf8')).toContain('k8s.io/kubernetes v1.36.3');
    expect(await kubeApiserver(machine(go(ANSWER, builds)))).toBe(path);
    expect(builds).toEqual([expect.objectContaining({ env: expect.objectContaining({ GOFLAGS: '', GOWORK: 'off' }) })]);
  });

  it('is not what answers as another version', async () => {
    await expect(kubeApiserver(machine(go('Kubernetes v1.30.0')))).rejects.toThrow(
      'go build gave something unusable: is another program: Kubernetes v1.30.0',
    );
  });

  it('says without Go and without a module proxy what was tried and what to install', async () => {
    await rm(join(root, 'bin', 'go'));
    await expect(kubeApiserver(machine(go(ANSWER)))).rejects.toThrow(
      /^ {2}go build +Go [\d.]+ is needed and could not be got[^]*no network[^]*install Go 1\.21 or newer[^]*- set GPU_PROVISION_KUBE_APISERVER/m,
    );
  });

  it('can be one that the user names', async () => {
    const own = join(root, 'own');
    await writeFile(own, '', { mode: 0o755 });
    expect(await kubeApiserver(machine(go(ANSWER), { GPU_PROVISION_KUBE_APISERVER: own }))).toBe(own);
  });
});
