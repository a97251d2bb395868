/**
 * The report as people get it: of a run on the rack, made by the command, opened in a browser.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { findBrowser, withPage, type Page } from '../../lab/tools/browser.js';
import { openArtifactStore } from '../../src/adapters/artifacts/index.js';
import { redactor } from '../../src/adapters/secrets/index.js';
import { gpuProvision } from '../../src/cli/program.js';
import { runCli } from '../../src/cli/run-cli.js';
import { connectProvision } from '../../src/client.js';
import { renderReport } from '../../src/domain/report/page.js';
import { reportOf, type Report } from '../../src/domain/report/report.js';
import { at, view } from '../golden/runs.js';
import { recordedIo } from '../golden/scripted-client.js';
import { wholeRun } from '../golden/whole-run.js';
import { story } from '../support/provision-run.js';
import { describeUnless } from '../support/skip-unless.js';
import { ISOLATION, withSite } from './rig.js';

const PAGE_LIMIT_MS = 60_000;
/** The run takes half a minute, and on a machine that others work on ten times that. */
const RUN_LIMIT_MS = 600_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'report-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Opens a page from the disk, with a record of everything that it asks for. */
async function load(page: Page, path: string): Promise<void> {
  for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await page.call(`${domain}.enable`);
  await page.open(pathToFileURL(path).href);
  const ready = async (): Promise<boolean> => (await page.evaluate('document.readyState')) === 'complete';
  await page.until(path, ready, PAGE_LIMIT_MS);
}

/** Rules of WCAG 2.2 AA and good practice that the page breaks. */
async function violations(page: Page): Promise<unknown> {
  await page.evaluate(axe.source);
  return page.evaluate(
    'axe.run().then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 200)).join(" | ")))',
  );
}

const browser = await findBrowser(process.env);

describe('the report of a run on the rack', () => {
  it(
    'holds what its run found, kept and undid, and the texts of what was kept',
    async () => {
      const store = openArtifactStore(join(folder, 'store'), { env: {}, remember: () => undefined });
      // As if it were a secret that a host repeats.
      redactor.remember('Generating /boot/initrd');
      const faults = [
        {
          at: 'pci-bind',
          match: '0000:87:00.0',
          boot: 'gpu-provision.trial=',
          effect: { kind: 'native-wins' },
          times: 9,
        },
      ] as const;
      await withSite({ faults, artifacts: store, limitMs: RUN_LIMIT_MS }, async (site) => {
        const run = await site.begin(ISOLATION);
        await run.approve();
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('restored');

        const connect = () => connectProvision({ address: inject('temporalAddress'), env: {} });
        const io = recordedIo();
        const path = join(folder, 'run.html');
        // As the rig names its runs: servers of several tests have the same name.
        const server = `${site.spec.site}/${site.spec.name}`;
        const words = ['report', server, '--json', '--html', path];
        expect(await runCli(gpuProvision, words, io, connect), io.err()).toBe(0);
        const report = JSON.parse(io.out()) as Report;
        expect(report).toMatchObject({ reportVersion: 1, outcome: 'restored', exit: 3, workflow: 'failed' });
        expect(report.status?.baseline?.nativeDrivers['0000:87:00.0']).toBe('nvidia');

        const kept = report.status?.artifacts ?? [];
        const trial = status.events.find(({ kind, text }) => kind === 'back' && text.startsWith('trial'))?.text ?? '';
        const [bootId = ''] = /[0-9a-f]{8}-/.exec(trial) ?? [];
        const names = ['update-initramfs.log', 'lspci-after-boot.txt', `journal-of-boot-${bootId.slice(0, 8)}.log`];
        expect(kept.map(({ name }) => name)).toEqual(names);
        expect(await store.get(kept[0]!.sha256)).toContain('update-initramfs: [redacted].img-');
        const page = await readFile(path, 'utf8');
        for (const { sha256, problem, name } of kept) {
          expect(problem, name).toBeNull();
          const text = await store.get(sha256);
          expect(page).toContain(
            text
              .trim()
              .split('\n')
              .at(-1)!
              .trim()
              .slice(0, 60)
              .split(/[&<>"']/)[0],
          );
        }
        expect(page).toContain('NOT ok: nvidia');
      });
    },
    RUN_LIMIT_MS,
  );
});

describeUnless(browser === null && 'no Chromium: apt install chromium', 'the page in a browser', () => {
  it(
    'is accessible in light and dark, asks for nothing, and is complete on paper',
    async () => {
      const path = join(folder, 'whole.html');
      const status = {
        ...wholeRun,
        artifacts: [{ name: 'build.log', sha256: 'a'.repeat(64), bytes: 9, store: 's3://bucket', problem: null }],
      };
      const texts = new Map([['a'.repeat(64), { text: 'line\n'.repeat(500) }]]);
      await writeFile(path, renderReport(reportOf(view(status, at('23:00:00'), { workflow: 'completed' })), texts));
      await withPage(browser!, async (page) => {
        await load(page, path);
        for (const value of ['light', 'dark']) {
          await page.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
          expect(await violations(page), value).toEqual([]);
        }
        const paint = 'getComputedStyle(document.body).backgroundColor';
        expect(await page.evaluate(paint)).toBe('rgb(21, 24, 27)');
        const headings = '[...document.querySelectorAll("h1,h2")].map((h) => h.innerText)';
        expect(await page.evaluate(headings)).toEqual(
          ['h100-01 provisioned', 'Summary', 'Timeline', 'Phases and steps', 'Questions and decisions'].concat(
            ['Plan of the reboot', 'Reboots and undo', 'Devices', 'Acceptance', 'Evidence of steps'],
            ['Output and journals', 'Events'],
          ),
        );
        const asked = page.events.filter(({ method }) => method === 'Network.requestWillBeSent');
        expect(asked).toHaveLength(1);
        // Only style is allowed, and it is the page's own: a refusal would be logged.
        expect(page.events.filter(({ method }) => /Log\.entryAdded|exceptionThrown/.test(method))).toEqual([]);

        await page.call('Emulation.setEmulatedMedia', { media: 'print', features: [] });
        const cut = '[...document.querySelectorAll("pre")].filter((p) => p.scrollHeight > p.clientHeight + 1).length';
        expect(await page.evaluate(cut)).toBe(0);
        expect(await page.evaluate(paint)).toBe('rgb(255, 255, 255)');
        await page.call('Emulation.setEmulatedMedia', { media: 'screen' });
        expect(await page.evaluate(cut)).toBeGreaterThan(0);
      });
    },
    RUN_LIMIT_MS,
  );

  it('runs nothing that a host wrote, also where the escaping were to fail', async () => {
    const path = join(folder, 'hostile.html');
    const text =
      '</pre></title></style><img src=http://127.0.0.1:9/x onerror="document.title=1"><script>document.title=1</script>';
    const page = renderReport(
      reportOf(view({ ...wholeRun, serial: text, findings: [{ area: text, text }] }, at('23:00:00'))),
    );
    await writeFile(path, page);
    await writeFile(
      `${path}.unescaped.html`,
      page.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"'),
    );
    await withPage(browser!, async (tab) => {
      await load(tab, path);
      expect(await tab.evaluate('document.querySelectorAll("img,script").length')).toBe(0);
      expect(await tab.evaluate('document.body.innerText.includes("<script>document.title=1</script>")')).toBe(true);
      await load(tab, `${path}.unescaped.html`);
      expect(await tab.evaluate('document.querySelectorAll("img,script").length')).toBeGreaterThan(0);
      expect(await tab.evaluate('document.title')).not.toBe('1');
      const asked = JSON.stringify(tab.events.filter(({ method }) => method === 'Network.responseReceived'));
      expect(asked).not.toContain('127.0.0.1:9');
    });
  });
});
