/** What a host said at its serial console, by real serial-over-LAN: OpenIPMI's BMC and ipmitool. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { openArtifactStore } from '../../src/adapters/artifacts/index.js';
import { renderReport } from '../../src/domain/report/page.js';
import { reportOf } from '../../src/domain/report/report.js';
import type { RunStatus } from '../../src/domain/run/messages.js';
import type { ArtifactStore } from '../../src/ports/artifacts.js';
import { at, view } from '../golden/runs.js';
import { BuiltProduct } from '../support/built-product.js';
import { story } from '../support/provision-run.js';
import { describeWith } from '../support/skip-unless.js';
import { ISOLATION, withSite } from './rig.js';

const LIMIT_MS = 300_000;
const TRIAL = 'gpu-provision.trial=';
/** It repeats the password of its BMC. */
const PANIC = 'Kernel panic - not syncing: lab: rack-only is broken';
const SHOWN = PANIC.replace('rack-only', '[redacted]');

let folder: string;
let artifacts: ArtifactStore;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gpu-provision-consoles-'));
  artifacts = openArtifactStore(folder, { env: {}, remember: () => undefined });
});
afterAll(() => rm(folder, { recursive: true }));

async function consoleOf(status: RunStatus, reboot: number): Promise<string> {
  const found = status.artifacts.filter(({ name }) => name === `console-of-reboot-${reboot}.log`);
  expect(found, story(status)).toHaveLength(1);
  expect(found[0]).toMatchObject({ problem: null });
  return artifacts.get(found[0]?.sha256 ?? '');
}

const toldOf = ({ events }: RunStatus): readonly string[] =>
  events.filter(({ kind }) => kind === 'console').map(({ text }) => text);

describeWith('the serial console', ['ipmitool', 'ipmi_sim', 'perl'], 'ipmitool openipmi perl-base', () => {
  it('of a trial that panics is in the report: the panic, and what GRUB booted instead', { timeout: LIMIT_MS }, () =>
    withSite(
      {
        bmc: 'ipmi',
        artifacts,
        limitMs: LIMIT_MS,
        faults: [
          { at: 'boot', match: 'kernel', boot: TRIAL, effect: { kind: 'panic', text: 'lab: rack-only is broken' } },
        ],
      },
      async (site) => {
        const run = await site.begin(ISOLATION);
        const { plan } = await run.untilAsked('reboot');
        expect(plan?.bmc).toEqual({ kind: 'ipmi', tested: true, console: true });
        expect(plan?.warnings.filter((text) => text.includes('BMC console unavailable'))).toEqual([]);
        await run.approve();
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('restored');
        expect(status.reboot).toMatchObject({ number: 2, outcome: { kind: 'default' } });
        const trial = await consoleOf(status, 1);
        expect(trial).toContain(SHOWN);
        expect(trial).not.toContain('rack-only');
        expect(trial).toContain("Booting `gpu-provision known-good'");
        expect(trial.indexOf(SHOWN)).toBeLessThan(trial.indexOf("Booting `gpu-provision known-good'"));
        expect(trial).toMatch(new RegExp(`^serial console of ${site.spec.name}, reboot 1 \\(forward\\), `));
        expect(toldOf(status)).toEqual([
          expect.stringMatching(/^console of reboot 1: its last line: ./),
          // The second boot may be over when the console is free again, as no host of hardware is. It is never refused.
          expect.stringMatching(/^console of reboot 2: (?:its last line: .+|it said nothing)$/),
        ]);
        const texts = new Map(
          await Promise.all(
            status.artifacts.map(async ({ sha256 }) => [sha256, { text: await artifacts.get(sha256) }] as const),
          ),
        );
        const page = renderReport(reportOf(view(status, at('23:00:00'))), texts);
        expect(page).toContain('console-of-reboot-1.log');
        expect(page).toContain(SHOWN);
      },
    ),
  );

  it('of a host that needs hands is told to whom is asked, who finds it free', { timeout: LIMIT_MS }, () =>
    withSite(
      {
        bmc: 'ipmi',
        artifacts,
        limitMs: LIMIT_MS / 2,
        faults: [{ at: 'host-key', boot: TRIAL, effect: { kind: 'new-host-key' } }],
      },
      async (site) => {
        const run = await site.begin(ISOLATION);
        await run.approve();
        const status = await run.until(({ question }) => question?.kind === 'needs-hands');
        expect(status.reboot, story(status)).toMatchObject({
          outcome: { kind: 'host-key-changed' },
          console: expect.stringMatching(/./),
        });
        expect(await consoleOf(status, 1)).toContain('GNU GRUB');
        let heard = '';
        const stop = new AbortController();
        const person = site.console().read((bytes) => (heard += String(Buffer.from(bytes))), stop.signal);
        // It would end at once if the run still had it.
        await Promise.race([person, delay(3_000)]);
        site.host.powerCycle();
        await expect.poll(() => heard, { timeout: 20_000 }).toContain('GNU GRUB');
        stop.abort();
        await person;
        await run.handle.terminate('the test is over');
      },
    ),
  );

  it('that somebody else has is left to them, and the run goes on without it', { timeout: LIMIT_MS }, () =>
    withSite({ bmc: 'ipmi', artifacts, limitMs: LIMIT_MS }, async (site) => {
      let heard = '';
      const stop = new AbortController();
      const person = site.console().read((bytes) => (heard += String(Buffer.from(bytes))), stop.signal);
      const run = await site.begin(ISOLATION);
      await run.approve();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('provisioned');
      expect(toldOf(status)).toEqual([
        expect.stringMatching(/^console of reboot 1: it said nothing; not read.*already active on another session$/),
      ]);
      expect(status.artifacts.map(({ name }) => name)).not.toContain('console-of-reboot-1.log');
      expect(heard).toContain('GNU GRUB');
      stop.abort();
      await person;
    }),
  );

  it('is free when the process that read it is killed, though nobody could say so', { timeout: LIMIT_MS }, () =>
    withSite({ bmc: 'ipmi' }, async (site) => {
      const product = await BuiltProduct.build({ bundles: false });
      onTestFinished(() => product.remove());
      const reader = `
        import { createBmcProvider } from '${pathToFileURL(product.path('src/adapters/bmc/index.js')).href}';
        import { createSecretSource } from '${pathToFileURL(product.path('src/adapters/secrets/index.js')).href}';
        const bmc = createBmcProvider({ secrets: createSecretSource() }).get(${JSON.stringify(site.spec)});
        await bmc.console.read((bytes) => process.stdout.write(bytes), new AbortController().signal);`;
      const child = spawn(process.execPath, ['--input-type=module', '--eval', reader], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      let said = '';
      child.stdout.on('data', (bytes) => (said += String(bytes)));
      const boot = (): string => {
        site.host.powerCycle();
        return said;
      };
      await expect.poll(boot, { timeout: 60_000, interval: 2_000 }).toContain('GNU GRUB');
      child.kill('SIGKILL');
      await once(child, 'close');
      // ipmitool needs a packet for it, and that packet its answer.
      await delay(2_000);
      let heard = '';
      const stop = new AbortController();
      const next = site.console().read((bytes) => (heard += String(Buffer.from(bytes))), stop.signal);
      await Promise.race([next, delay(3_000)]);
      site.host.powerCycle();
      await expect.poll(() => heard, { timeout: 20_000 }).toContain('GNU GRUB');
      stop.abort();
      await next;
    }),
  );
});
