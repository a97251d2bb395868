import { describe, expect, it } from 'vitest';
import type { SimulatedHost } from '../../lab/rack/index.js';
import { claimsOf, play, type Stage } from '../conformance/play.js';
import { scenarios } from '../conformance/scenarios.js';
import { effectsOn, UNDISTURBED, UNDONE, type Effects } from './crashes/effects.js';
import { ISOLATION, Site } from './rig.js';
import { story } from '../support/provision-run.js';

const NATIVE = 'nvidia';
const ROOTS = ['/etc', '/boot', '/usr/local'];

/** What tests with crashes compare with: runs of the same kind that nobody disturbs. */
const EFFECTS: Readonly<Record<string, Partial<Effects>>> = {
  'nothing goes wrong': UNDISTURBED,
  'one GPU of eight goes back to its native driver': UNDONE,
};

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
  it.for(scenarios(NATIVE).map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    async ([, scenario], { onTestFinished }) => {
      const site = await Site.start({ bmc: false });
      onTestFinished(() => site.close());
      const { host } = site;
      const { addresses } = site.spec.gpus;
      let before: ReadonlyMap<string, string> | undefined;
      const stage: Stage = {
        nativeDriver: NATIVE,
        gpus: addresses,
        sh: (script) => asRoot(host, script),
        snapshot: async () => {
          const now = await snapshot(host);
          before ??= now;
          return withoutPackages(host, before, now);
        },
        begin: () => site.begin(ISOLATION),
        powerCycle: async () => host.powerCycle(),
        commandLines: async () => host.boots.map(({ commandLine }) => commandLine),
        drivers: async () => new Map(addresses.map((address) => [address, host.drivers().get(address) ?? null])),
      };
      const { claims, status } = await play(scenario, stage);
      expect(claims, story(status)).toEqual(claimsOf(scenario, stage));
      const effects = effectsOn(host);
      expect(effects).toMatchObject(EFFECTS[scenario.name] ?? effects);
    },
  );
});
