/**
 * The words that apt is told, on a real apt and dpkg: an archive of empty packages and a root of its own. What is relied on is how apt treats
 * packages that are held, and that purging exactly what was installed leaves nothing and takes nothing else.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../../test/support/skip-unless.js';
import { counterparts, nextKernels, notOfTheKernel, packagesOf, pinned } from '../../domain/boot/kernel-upgrade.js';
import type { StepContext } from '../define-step.js';
import {
  install,
  purge,
  readHeld,
  readPackages,
  simulateInstall,
  simulatePurge,
  simulateUpgrade,
  updateLists,
} from './apt.js';

const run = promisify(execFile);
const OLD = '6.8.0-60-generic';
const NEW = '6.8.0-62-generic';
const METAPACKAGES = ['linux-generic', 'linux-headers-generic', 'linux-image-generic'];
const LIMIT_MS = 120_000;

/** Everything in a folder of its own; nothing of the machine is read or changed. */
class Scratch {
  private constructor(private readonly folder: string) {}

  static async make(): Promise<Scratch> {
    const scratch = new Scratch(await mkdtemp(join(tmpdir(), 'gpu-provision-apt-')));
    const { folder } = scratch;
    for (const path of [
      'lib/dpkg/info',
      'lib/dpkg/updates',
      'lib/apt/lists/partial',
      'cache/apt/archives/partial',
      'log/apt',
    ])
      await mkdir(join(folder, 'root/var', path), { recursive: true });
    for (const path of ['apt.conf.d', 'preferences.d', 'sources.list.d', 'trusted.gpg.d'])
      await mkdir(join(folder, 'root/etc/apt', path), { recursive: true });
    await mkdir(join(folder, 'archive'));
    for (const path of ['status', 'available']) await writeFile(join(folder, 'root/var/lib/dpkg', path), '');
    await writeFile(join(folder, 'root/etc/apt/sources.list'), `deb [trusted=yes] file:${folder}/archive ./\n`);
    // Found by apt as its dpkg: apt lets none be called that is in the root.
    await writeFile(join(folder, 'dpkg'), '#!/bin/sh\nexec /usr/bin/dpkg "$@"\n');
    await chmod(join(folder, 'dpkg'), 0o755);
    await writeFile(
      join(folder, 'apt.conf'),
      `Dir "${folder}/root";
Dir::State::status "${folder}/root/var/lib/dpkg/status";
Dir::Bin::dpkg "${folder}/dpkg";
APT::Architecture "amd64";
APT::Sandbox::User "root";
DPkg::Options {"--root=${folder}/root"; "--force-not-root"; "--force-script-chrootless"; "--log=${folder}/dpkg.log";};
`,
    );
    return scratch;
  }

  async publish(release: string, version: string): Promise<void> {
    const abi = release.replace(/-generic$/, '');
    const packages: Readonly<Record<string, string>> = {
      [`linux-modules-${release}`]: '',
      [`linux-image-${release}`]: `linux-modules-${release}`,
      [`linux-modules-extra-${release}`]: `linux-modules-${release}`,
      [`linux-headers-${abi}`]: '',
      [`linux-headers-${release}`]: `linux-headers-${abi}`,
      'linux-image-generic': `linux-image-${release}, linux-modules-extra-${release}`,
      'linux-headers-generic': `linux-headers-${release}`,
      'linux-generic': `linux-image-generic (= ${version}), linux-headers-generic (= ${version})`,
    };
    for (const [name, depends] of Object.entries(packages)) {
      const tree = join(this.folder, 'package');
      await mkdir(join(tree, 'DEBIAN'), { recursive: true });
      const control = `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: lab <lab@example.org>\nDescription: lab\n`;
      await writeFile(join(tree, 'DEBIAN/control'), `${control}${depends === '' ? '' : `Depends: ${depends}\n`}`);
      await run('dpkg-deb', ['--build', tree, join(this.folder, 'archive', `${name}_${version}.deb`)]);
      await rm(tree, { recursive: true });
    }
    const index =
      'for f in *.deb; do dpkg-deb -f "$f"; echo "Filename: ./$f"; echo "Size: $(stat -c %s "$f")"; echo "SHA256: $(sha256sum < "$f" | cut -d" " -f1)"; echo; done > Packages';
    await run('sh', ['-c', index], { cwd: join(this.folder, 'archive') });
  }

  async exec(argv: readonly string[]): Promise<{ readonly stdout: string; readonly exitCode: number }> {
    const [program = '', ...args] = argv;
    const root = program === 'dpkg-query' ? [`--admindir=${this.folder}/root/var/lib/dpkg`] : [];
    try {
      const env = { ...process.env, APT_CONFIG: join(this.folder, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive' };
      return { stdout: (await run(program, [...root, ...args], { env })).stdout, exitCode: 0 };
    } catch (error) {
      const { stdout = '', stderr = '', code = 1 } = error as { stdout?: string; stderr?: string; code?: number };
      return { stdout: `${stdout}${stderr}`, exitCode: code };
    }
  }

  async must(argv: readonly string[]): Promise<string> {
    const { stdout, exitCode } = await this.exec(argv);
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stdout}`);
    return stdout;
  }

  get context(): StepContext {
    const host = {
      exec: (argv: readonly string[]) => this.exec(argv),
      must: (argv: readonly string[]) => this.must(argv),
      mustUnit: (_step: string, argv: readonly string[]) => this.must(argv),
    };
    return { host, spec: { mirrors: { apt: null } } } as unknown as StepContext;
  }

  close(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }
}

describeWith('apt on the host', ['apt-get', 'dpkg', 'dpkg-deb'], 'apt dpkg', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await Scratch.make();
    await scratch.publish(OLD, '6.8.0-60.60');
    await updateLists(scratch.context, 'test');
    await scratch.must(['apt-get', 'install', '--yes', 'linux-generic']);
    await scratch.must(['apt-mark', 'hold', `linux-image-${OLD}`, ...METAPACKAGES]);
    await scratch.publish(NEW, '6.8.0-62.62');
    await updateLists(scratch.context, 'test');
  }, LIMIT_MS);
  afterAll(() => scratch.close());

  const all = (): ReturnType<typeof readPackages> => readPackages(scratch.context, ['linux-*']);

  it(
    'says which kernel held metapackages would bring, and installs and purges it without touching them',
    { timeout: LIMIT_MS },
    async () => {
      const ctx = scratch.context;
      const before = await all();
      const names = [...before.keys()];
      expect(nextKernels(await simulateUpgrade(ctx, METAPACKAGES), OLD)).toEqual([NEW]);

      const simulation = await simulateInstall(ctx, counterparts(names, OLD, NEW));
      expect(notOfTheKernel(simulation, NEW)).toEqual([]);
      const packages = packagesOf(simulation);
      expect(packages).toHaveLength(5);
      expect(await all()).toEqual(before);

      await install(ctx, 'test', pinned(packages));
      const after = await all();
      for (const { name, version } of packages) expect(after.get(name)).toEqual({ name, version, installed: true });
      for (const name of METAPACKAGES) expect(after.get(name)).toEqual(before.get(name));
      // Known-good boots the old one: what it needs is still needed by a metapackage.
      expect(await scratch.must(['apt-get', '--simulate', 'autoremove'])).not.toMatch(/^Remv/m);
      await scratch.must(['apt-mark', 'hold', `linux-image-${NEW}`]);

      const going = packages.map(({ name }) => name);
      expect([...(await simulatePurge(ctx, going)).removes].toSorted()).toEqual([...going].toSorted());
      await purge(ctx, 'test', going);
      expect(await all()).toEqual(before);
      expect([...(await readHeld(ctx))].toSorted()).toEqual([`linux-image-${OLD}`, ...METAPACKAGES].toSorted());
    },
  );

  it(
    'names what would go with a kernel whose metapackages somebody upgraded: they, and the hold of each, are gone',
    { timeout: LIMIT_MS },
    async () => {
      const ctx = scratch.context;
      await scratch.must(['apt-get', 'install', '--yes', '--allow-change-held-packages', ...METAPACKAGES]);
      expect([...(await readHeld(ctx))]).toEqual([`linux-image-${OLD}`]);
      const { removes } = await simulatePurge(ctx, [`linux-image-${NEW}`]);
      expect(removes).toContain('linux-image-generic');
      expect(await scratch.must(['apt-get', '--simulate', 'autoremove'])).toContain(`Remv linux-modules-extra-${OLD}`);
    },
  );

  it('refuses what the archive does not have', { timeout: LIMIT_MS }, async () => {
    await expect(simulateInstall(scratch.context, [`linux-modules-nvidia-580-server-open-${NEW}`])).rejects.toThrow(
      'Unable to locate package',
    );
  });
});
