/**
 * `npm run screenshot`: plays three servers, one that is provisioned, one whose new image panics and one that waits for its approval, and takes
 * the pictures of the docs in a browser: Temporal's UI, the reports, and a terminal. Needs apt install chromium pngquant.
 * @module
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { WORKFLOW_TYPE, workflowId } from '../../src/domain/run/messages.js';
import { outcomeOf } from '../../src/domain/run/view.js';
import { findBrowser, withPage, type Page } from '../tools/browser.js';
import { attend, untilStarted } from './attend.js';
import { DEMO_FAULTS, DURATIONS } from './faults.js';
import { openDemoFolder, type DemoFolder } from './folder.js';
import { photograph, type Shot } from './photograph.js';
import { MAIN } from './programs.js';
import { filtersOf, LIST_COLUMNS } from './run-list.js';
import { openDemoSite, type DemoSite } from './site.js';
import { screenOf, WIDTH } from './terminal-window.js';

const PROVISIONED = { name: 'h100-01', serial: '5XKQ1P3' };
const FALLS_BACK = { name: 'h100-02', serial: '5XKQ2P3' };
const WAITS = { name: 'h100-03', serial: '5XKQ3P3' };
const FAULT = 'kernel-panic';
/** Of `watch` in a terminal. */
const AWAY = ['not back yet', 'ladder'];
const AT_THE_GATE = ['GATE', 'elsewhere'];
const IMAGES = 'docs/images';
const PAGE_OF_FILTERS = 'docs/temporal-ui.md';
const PAGE_OF_FALLBACK = 'docs/report.md';

const report = (line: string): void => void process.stderr.write(`screenshot  ${line}\n`);

async function main(): Promise<void> {
  const browser = await findBrowser(process.env);
  if (browser === null) throw new Error('no browser: apt install chromium');
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const folder = await openDemoFolder('.demo');
    const site = await openDemoSite(folder, {
      servers: [PROVISIONED, FALLS_BACK, WAITS],
      faults: (DEMO_FAULTS.find(({ name }) => name === FAULT)?.rules ?? []).map((rule) => ({
        ...rule,
        host: FALLS_BACK.name,
      })),
      durations: DURATIONS,
      onEnd: (close) => closers.unshift(close),
    });
    const worker = await site.startWorker();
    closers.unshift(() => worker.stop());
    const terminals = await play(site, folder);
    await withPage(browser, async (page) => {
      await setUpList(page, site);
      for (const shot of [...terminals, ...(await uiShots(site)), ...(await reportShots(site, folder))]) {
        await photograph(page, shot);
        report(shot.file);
      }
    });
  } finally {
    for (const close of closers) await close();
  }
}

/** Two runs to their end, one to its question. What a terminal shows meanwhile. */
async function play(site: DemoSite, folder: DemoFolder): Promise<readonly Shot[]> {
  const shots: Shot[] = [];
  for (const { name, ends } of [
    { name: PROVISIONED.name, ends: 'provisioned' },
    { name: FALLS_BACK.name, ends: 'restored' },
  ]) {
    report(`${name} must end ${ends}`);
    const over = new AbortController();
    const host = site.rack.host(name);
    const attendance = { client: site.client, host, fault: null, yes: true, restartWorker: async () => {}, report };
    const photographAway = async (): Promise<void> => {
      await untilStarted(site.client, name, over.signal);
      shots.push(await terminalShot(site, folder, name, 'terminal-reboot.png', AWAY));
    };
    const [said] = await Promise.all([
      gpuProvision(site, ['start', name, '--inventory', folder.inventory]).finally(() => over.abort()),
      attend(attendance, over.signal),
      name === FALLS_BACK.name ? photographAway() : null,
    ]);
    const outcome = outcomeOf(await site.client.status(name));
    if (outcome !== ends) throw new Error(`${name} ended ${String(outcome)}:\n${said}`);
    if (name === FALLS_BACK.name) await writeTranscript(said);
  }
  report(`${WAITS.name} must ask`);
  await gpuProvision(site, ['start', WAITS.name, '--inventory', folder.inventory, '--detach']);
  for await (const { view } of site.client.watch(WAITS.name)) {
    if (view.status?.question?.kind !== 'reboot' || view.status.plan === null) continue;
    return [...shots, await terminalShot(site, folder, WAITS.name, 'terminal-gate.png', AT_THE_GATE)];
  }
  throw new Error(`${WAITS.name} ended without a question`);
}

/** Of `watch`, the first time that these texts are in it. */
async function terminalShot(
  { env }: DemoSite,
  folder: DemoFolder,
  server: string,
  file: string,
  texts: readonly string[],
): Promise<Shot> {
  const { html, height } = await screenOf(env, ['watch', server], texts);
  const page = resolve(folder.path, `${file}.html`);
  await writeFile(page, html);
  return { file: join(IMAGES, file), url: pathToFileURL(page).href, shows: texts[0] ?? '', width: WIDTH, height };
}

/** Between two marks of the page: from the decision on, without single steps and how this machine kept up. */
async function writeTranscript(said: string): Promise<void> {
  const lines = said.split('\n');
  const shown = lines
    .slice(lines.findIndex((line) => line.includes(' decision ')))
    .filter((line) => !/ (?:step|contact|output) /.test(line));
  const page = await readFile(PAGE_OF_FALLBACK, 'utf8');
  const [before = '', , after = ''] = page.split(/(?<=<!-- fallback -->\n)|(?=<!-- \/fallback -->)/);
  await writeFile(PAGE_OF_FALLBACK, `${before}\n\`\`\`\n${shown.join('\n').trim()}\n\`\`\`\n\n${after}`);
}

/** What a command says on both its outputs, whatever it ends with. */
async function gpuProvision({ env }: DemoSite, words: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...words], { env }).catch(
    (error: Error & { stdout?: string; stderr?: string }) => {
      if (error.stdout === undefined || error.stderr === undefined) throw error;
      return { stdout: error.stdout, stderr: error.stderr };
    },
  );
  return stderr + stdout;
}

const workflowsUrl = ({ temporal }: DemoSite): string => `${temporal.uiUrl}/namespaces/${temporal.namespace}/workflows`;

/** Columns and saved views are the browser's own. Source: temporalio/ui 2.42, configurable-table-columns.ts and saved-queries.ts. */
async function setUpList(page: Page, site: DemoSite): Promise<void> {
  const { namespace } = site.temporal;
  const filters = filtersOf(await readFile(PAGE_OF_FILTERS, 'utf8'));
  const kept = {
    'namespace-workflow-table-columns': { [namespace]: LIST_COLUMNS.map((label) => ({ label, pinned: false })) },
    'saved-workflow-queries': {
      [namespace]: filters.map(({ name, query }) => ({ id: name, name, query, type: 'user' })),
    },
  };
  await page.open(workflowsUrl(site));
  for (const [key, value] of Object.entries(kept)) {
    const [name, text] = [JSON.stringify(key), JSON.stringify(JSON.stringify(value))];
    await page.evaluate(`localStorage.setItem(${name}, ${text})`);
  }
}

async function uiShots(site: DemoSite): Promise<readonly Shot[]> {
  const runPage = async (server: string, page: string): Promise<string> => {
    const { known } = await site.client.status(server);
    return `${workflowsUrl(site)}/${encodeURIComponent(workflowId(server))}/${known.runId}/${page}`;
  };
  const list = `${workflowsUrl(site)}?query=${encodeURIComponent(`WorkflowType = '${WORKFLOW_TYPE}'`)}`;
  return [
    { file: 'temporal-ui-list.png', url: list, shows: WAITS.name, width: 1400, height: 860 },
    {
      file: 'temporal-ui-gate.png',
      url: await runPage(WAITS.name, 'user-metadata'),
      shows: 'Current Details',
      width: 1760,
      height: 780,
    },
    {
      file: 'temporal-ui.png',
      url: await runPage(WAITS.name, 'history'),
      shows: 'preflight.check',
      timeline: true,
      width: 1400,
      height: 800,
    },
    {
      file: 'temporal-ui-restored.png',
      url: await runPage(FALLS_BACK.name, 'history'),
      shows: 'reboot.await-return',
      timeline: true,
      width: 1400,
      height: 900,
    },
  ].map((shot) => ({ ...shot, file: join(IMAGES, shot.file) }));
}

async function reportShots(site: DemoSite, folder: DemoFolder): Promise<readonly Shot[]> {
  const shots: Shot[] = [];
  for (const [server, file] of [
    [PROVISIONED.name, 'report.png'],
    [FALLS_BACK.name, 'report-restored.png'],
  ] as const) {
    const html = resolve(folder.path, `${server}.html`);
    await gpuProvision(site, ['report', server, '--json', '--html', html]);
    shots.push({
      file: join(IMAGES, file),
      url: pathToFileURL(html).href,
      shows: 'Timeline',
      width: 1250,
      height: 1200,
    });
  }
  return shots;
}

await main();
