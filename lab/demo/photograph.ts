/**
 * A picture of a page once it shows what it should. The UI keeps connections open for ever, so Chromium's own --screenshot comes too early or
 * never.
 * @module
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Page } from '../tools/browser.js';

export interface Shot {
  readonly file: string;
  readonly url: string;
  /** Text that is there when it has drawn what it is about. */
  readonly shows: string;
  /** From the timeline of a history on, as tall as the picture: the UI shows ten rows and scrolls the others. */
  readonly timeline?: boolean;
  readonly width: number;
  readonly height: number;
}

const PAGE_LIMIT_MS = 60_000;
/** Fonts, icons and the frames that details are shown in arrive after the text. */
const SETTLE_MS = 3_000;

export async function photograph(
  page: Page,
  { file, url, shows, timeline = false, width, height }: Shot,
): Promise<void> {
  await page.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  await page.open(url);
  const seen = async (): Promise<boolean> =>
    ((await page.evaluate('document.body?.innerText ?? ""')) as string).includes(shows);
  await page.until(`${url}: ${shows}`, seen, PAGE_LIMIT_MS);
  await delay(SETTLE_MS);
  if (timeline) await page.evaluate(`(${unfoldTimeline})(${height})`);
  const { data } = await page.call('Page.captureScreenshot', { format: 'png' });
  await writeFile(file, Buffer.from(data as string, 'base64'));
  // A third of the bytes, and no difference to see.
  await promisify(execFile)('pngquant', ['--force', '--ext=.png', '--skip-if-larger', '--speed=1', '64', file]);
}

/** Runs in the page. What scrolls and has a drawing in it is the timeline; the heading above it is left in the picture. */
const unfoldTimeline = `(height) => {
  const box = [...document.querySelectorAll('div')].find(
    (div) => /auto|scroll/.test(getComputedStyle(div).overflowY) && div.scrollHeight > div.clientHeight && div.clientHeight < height / 2
      && div.querySelector('svg'),
  );
  if (box === undefined) throw new Error('the page has no timeline that scrolls');
  box.style.maxHeight = 'none';
  box.style.height = height + 'px';
  const heading = [...document.querySelectorAll('h1,h2,h3')].find((h) => h.innerText === 'Event History');
  heading.style.scrollMarginTop = '80px';
  heading.scrollIntoView();
}`;
