/**
 * `npm run screenshot`, while a demo waits for its approval: pictures of its run in Temporal's UI for the README. Needs Chromium
 * (Debian and Ubuntu: apt install chromium). The UI keeps connections open for ever, so Chromium's own --screenshot comes too early or never; here
 * it is driven over its debugging pipe until the page shows what it should.
 * @module
 */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const FOLDER = 'docs/images';
const SHOTS = [
  // Each is there when it has drawn what it is about. The UI itself goes from the run's page to its history.
  { file: 'temporal-ui.png', page: 'history', shows: 'preflight.check', width: 1400, height: 1090 },
  { file: 'temporal-ui-gate.png', page: 'user-metadata', shows: 'Current Details', width: 1760, height: 780 },
] as const;
const PAGE_LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 250;
/** Fonts, icons and the frames that details are shown in arrive after the text. */
const SETTLE_MS = 3_000;

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8233/namespaces/default/workflows/provision%2Fh100-01' },
    folder: { type: 'string', default: FOLDER },
    browser: { type: 'string', default: 'chromium' },
  },
});

const browser = spawn(
  values.browser,
  ['--headless', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--hide-scrollbars'],
  { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
);
const gone = new Promise<never>((_, reject) => {
  browser.on('error', (error) => reject(new Error(`${values.browser}: ${error.message}; apt install chromium`)));
  browser.on('exit', (code) => reject(new Error(`${values.browser} ended with ${code}`)));
});
gone.catch(() => undefined);

try {
  await Promise.race([photograph(devtools(browser.stdio[3] as Writable, browser.stdio[4] as Readable)), gone]);
} finally {
  browser.kill();
}

type Call = (method: string, params: object, sessionId?: string) => Promise<Record<string, unknown>>;

async function photograph(call: Call): Promise<void> {
  const { targetId } = await call('Target.createTarget', { url: values.url });
  const attached = await call('Target.attachToTarget', { targetId, flatten: true });
  const page = attached['sessionId'] as string;
  const evaluate = async (expression: string): Promise<string> => {
    const { result } = await call('Runtime.evaluate', { expression }, page);
    return (result as { value?: string }).value ?? '';
  };
  const until = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
    const deadline = Date.now() + PAGE_LIMIT_MS;
    while (!(await condition())) {
      if (Date.now() > deadline) throw new Error(`${values.url}: ${what} not seen in ${PAGE_LIMIT_MS} ms`);
      await delay(LOOK_EVERY_MS);
    }
  };
  await until('the history of a run', async () => (await evaluate('location.href')).endsWith('/history'));
  const history = await evaluate('location.href');
  for (const { file, page: name, shows, width, height } of SHOTS) {
    const size = { width, height, deviceScaleFactor: 1, mobile: false };
    await call('Emulation.setDeviceMetricsOverride', size, page);
    await call('Page.navigate', { url: history.replace(/history$/, name) }, page);
    await until(shows, async () => (await evaluate('document.body.innerText')).includes(shows));
    await delay(SETTLE_MS);
    const { data } = await call('Page.captureScreenshot', { format: 'png' }, page);
    await writeFile(join(values.folder, file), Buffer.from(data as string, 'base64'));
    process.stdout.write(`${join(values.folder, file)}\n`);
  }
}

/** Chrome's debugging protocol over its pipe: JSON messages with a NUL byte after each. */
function devtools(input: Writable, output: Readable): Call {
  let lastId = 0;
  let rest = '';
  const waiting = new Map<number, { resolve: (result: Record<string, unknown>) => void; reject: (e: Error) => void }>();
  output.setEncoding('utf8');
  output.on('data', (text: string) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop() ?? '';
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message) as {
        id?: number;
        result?: Record<string, unknown>;
        error?: { message: string };
      };
      const call = waiting.get(id ?? -1);
      if (call === undefined) continue;
      if (error === undefined) call.resolve(result ?? {});
      else call.reject(new Error(error.message));
    }
  });
  return (method, params, sessionId) =>
    new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      const session = sessionId === undefined ? {} : { sessionId };
      input.write(`${JSON.stringify({ id: lastId, method, params, ...session })}\0`);
    });
}
