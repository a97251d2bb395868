/**
 * `npm run screenshot`, while a demo is running: a picture of its run in Temporal's UI for the README. Needs Chromium
 * (Debian and Ubuntu: apt install chromium). The UI keeps connections open for ever, so Chromium's own --screenshot comes too early or never; here
 * it is driven over its debugging pipe until the page shows what it should.
 * @module
 */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const FILE = 'docs/images/temporal-ui.png';
const WIDTH = 1400;
const HEIGHT = 1000;
/** The page is there when it has rendered the history. */
const SHOWS = 'Workflow Execution Started';
const PAGE_LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 250;
/** Fonts and icons arrive after the text. */
const SETTLE_MS = 1_500;

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8233/namespaces/default/workflows/provision%2Fh100-01' },
    file: { type: 'string', default: FILE },
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
  process.stdout.write(`${values.file}\n`);
} finally {
  browser.kill();
}

type Call = (method: string, params: object, sessionId?: string) => Promise<Record<string, unknown>>;

async function photograph(call: Call): Promise<void> {
  const { targetId } = await call('Target.createTarget', { url: values.url });
  const attached = await call('Target.attachToTarget', { targetId, flatten: true });
  const page = attached['sessionId'] as string;
  await call(
    'Emulation.setDeviceMetricsOverride',
    { width: WIDTH, height: HEIGHT, deviceScaleFactor: 1, mobile: false },
    page,
  );
  const deadline = Date.now() + PAGE_LIMIT_MS;
  for (;;) {
    const { result } = await call('Runtime.evaluate', { expression: 'document.body.innerText' }, page);
    const text = (result as { value?: string }).value ?? '';
    if (text.includes(SHOWS)) break;
    if (Date.now() > deadline) throw new Error(`${values.url} does not show "${SHOWS}"; it shows:\n${text}`);
    await delay(LOOK_EVERY_MS);
  }
  await delay(SETTLE_MS);
  const { data } = await call('Page.captureScreenshot', { format: 'png' }, page);
  await writeFile(values.file, Buffer.from(data as string, 'base64'));
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
