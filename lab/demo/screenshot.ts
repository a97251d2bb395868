/**
 * `npm run screenshot`, while a demo is there: pictures of its run for the docs, in Temporal's UI while it waits for its approval, and of the
 * report it left when it is over (`--report`). Needs Chromium (Debian and Ubuntu: apt install chromium). The UI keeps connections open for ever, so
 * Chromium's own --screenshot comes too early or never; here it is driven until the page shows what it should.
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { withPage, type Page } from '../tools/browser.js';

interface Shot {
  readonly file: string;
  /** Below the run in Temporal's UI; null for the report. */
  readonly page: string | null;
  /** It is there when it has drawn what it is about. */
  readonly shows: string;
  readonly width: number;
  readonly height: number;
}

const SHOTS: readonly Shot[] = [
  // The UI itself goes from the run's page to its history.
  { file: 'temporal-ui.png', page: 'history', shows: 'preflight.check', width: 1400, height: 1090 },
  { file: 'temporal-ui-gate.png', page: 'user-metadata', shows: 'Current Details', width: 1760, height: 780 },
  { file: 'report.png', page: null, shows: 'Timeline', width: 1250, height: 1200 },
];
const PAGE_LIMIT_MS = 30_000;
/** Fonts, icons and the frames that details are shown in arrive after the text. */
const SETTLE_MS = 3_000;

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8233/namespaces/default/workflows/provision%2Fh100-01' },
    report: { type: 'string' },
    folder: { type: 'string', default: 'docs/images' },
    browser: { type: 'string', default: 'chromium' },
  },
});

await withPage(values.browser, async (page) => {
  if (values.report === undefined) {
    const text = async (): Promise<string> => (await page.evaluate('location.href')) as string;
    await page.open(values.url);
    await page.until('the history of a run', async () => (await text()).endsWith('/history'), PAGE_LIMIT_MS);
    const history = await text();
    for (const shot of SHOTS)
      if (shot.page !== null) await photograph(page, shot, history.replace(/history$/, shot.page));
  } else {
    for (const shot of SHOTS)
      if (shot.page === null) await photograph(page, shot, pathToFileURL(resolve(values.report)).href);
  }
});

async function photograph(page: Page, { file, shows, width, height }: Shot, url: string): Promise<void> {
  await page.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  await page.open(url);
  const seen = async (): Promise<boolean> =>
    ((await page.evaluate('document.body?.innerText ?? ""')) as string).includes(shows);
  await page.until(`${url}: ${shows}`, seen, PAGE_LIMIT_MS);
  await delay(SETTLE_MS);
  const { data } = await page.call('Page.captureScreenshot', { format: 'png' });
  await writeFile(join(values.folder, file), Buffer.from(data as string, 'base64'));
  process.stdout.write(`${join(values.folder, file)}\n`);
}
