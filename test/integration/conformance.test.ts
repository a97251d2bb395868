import { describe, expect, it } from 'vitest';
import type { SimulatedHost } from '../../lab/rack/index.js';
import { entryOf, scenarios } from '../conformance/scenarios.js';
import { changes } from '../vm/as-before.js';
import { ISOLATION, Site, story } from './rig.js';

const NATIVE = 'nvidia';
const ROOTS = ['/etc', '/boot', '/usr/local'];

/** As an administrator at the console. A script that fails has not done the fault that the test is about. */
async function asRoot(host: SimulatedHost, script: string): Promise<string> {
  const { stdout, stderr, exitCode } = await host.execute(script);
  if (exitCode !== 0) throw new Error(`exit ${exitCode}: ${stderr}${stdout}\n${script}`);
  return stdout;
}

/** A line for each file, link and directory, by path. */
async function snapshot(host: SimulatedHost): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const line of (await asRoot(host, `find ${ROOTS.join(' ')} -type d -printf 'd %m %p\\n'`)).trim().split('\n'))
    found.set(line.replace(/^d \d+ /, ''), line);
  for (const [path, { sha256, mode, owner }] of host.snapshot(ROOTS))
    found.set(path, `${mode} ${owner} ${sha256} ${path}`);
  return found;
}

/** Without what packages brought since `before`: phase 2 installs some, which the machine that really boots has had all along. */
async function withoutPackages(
  host: SimulatedHost,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const isNew = (path: string): boolean => !before.has(path);
  const { stdout } = await host.execute(`dpkg-query -S ${[...after.keys()].filter(isNew).join(' ')}`);
  const packaged = [...stdout.matchAll(/^\S+: (.+)$/gm)].map(([, path = '']) => path);
  const brought = (path: string): boolean =>
    isNew(path) && packaged.some((file) => file === path || file.startsWith(`${path}/`));
  return [...after].filter(([path]) => !brought(path)).map(([, line]) => line);
}

describe.concurrent('the simulated rack', () => {
  it.for(scenarios(NATIVE))('$name: ends as the table says', async (scenario, { onTestFinished }) => {
    const site = await Site.start({ bmc: false });
    onTestFinished(() => site.close());
    const { host } = site;
    if (scenario.prepare !== undefined) await asRoot(host, scenario.prepare);
    const before = await snapshot(host);
    const run = await site.begin(ISOLATION);
    for (let n = 1; n <= scenario.approvals; n += 1) {
      const question = n === 1 ? 'reboot' : `reboot#${n}`;
      await run.until((status) => status.question?.id === question);
      if (scenario.beforeEachAnswer !== undefined) await asRoot(host, scenario.beforeEachAnswer);
      if (n === 1 && scenario.whenAsked === 'cut-power') host.powerCycle();
      // The run looks at the host again when it is answered: that is when a power cut voids what was approved.
      await run.approve(question);
    }
    const status = await run.end();
    expect(status.outcome, story(status)).toBe(scenario.ends);
    expect(host.boots.map((boot) => entryOf(boot.commandLine))).toEqual(scenario.boots);
    expect(status.counts).toEqual(scenario.counts);
    const driver = scenario.drivers === 'native' ? NATIVE : scenario.drivers;
    const { addresses } = site.spec.gpus;
    expect(addresses.map((address) => [address, host.drivers().get(address)])).toEqual(
      addresses.map((address) => [address, driver]),
    );
    const after = await withoutPackages(host, before, await snapshot(host));
    expect(scenario.ends === 'provisioned' ? [] : changes([...before.values()], after)).toEqual([]);
    expect(await asRoot(host, 'grub-editenv - list | grep gp_ || :')).toBe('');
  });
});
