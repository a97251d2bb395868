import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { at, atGate, endings, noWorker, view } from '../../test/golden/runs.js';
import { recordedIo, scriptedClient } from '../../test/golden/scripted-client.js';
import { undoneRun } from '../../test/golden/whole-run.js';
import { redactor } from '../adapters/secrets/index.js';
import { renderReport } from '../domain/report/page.js';
import { reportOf } from '../domain/report/report.js';
import type { RunView } from '../domain/run/view.js';
import { gpuProvision } from './program.js';
import { runCli } from './run-cli.js';

const seen = view(undoneRun, at('23:00:00'), { workflow: 'failed' });

let folder: string;
let before: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'report-'));
  before = process.cwd();
});
afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

async function report(words: readonly string[], found: RunView = seen) {
  const io = recordedIo();
  let connections = 0;
  const exit = await runCli(gpuProvision, ['report', 'h100-01', ...words], io, async () => {
    connections += 1;
    return scriptedClient({ views: [found] });
  });
  return { exit, out: io.out(), err: io.err(), connections };
}

describe('report', () => {
  it('writes the page where it is told, whole, and prints where', async () => {
    const path = join(folder, 'x.html');
    writeFileSync(path, 'an older report');
    expect(await report(['--html', path])).toEqual({ exit: 0, out: `${path}\n`, err: '', connections: 1 });
    expect(readFileSync(path, 'utf8')).toBe(renderReport(reportOf(seen)));
    expect(readdirSync(folder)).toEqual(['x.html']);
  });

  it('names the page after server and start where it is not told', async () => {
    process.chdir(folder);
    expect(await report([])).toMatchObject({ exit: 0, out: 'h100-01-20261124T1020Z.html\n' });
    expect(readdirSync(folder)).toEqual(['h100-01-20261124T1020Z.html']);
  });

  it('prints the data with --json, and then no page unless asked', async () => {
    process.chdir(folder);
    const { exit, out } = await report(['--json']);
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(reportOf(seen))));
    expect(readdirSync(folder)).toEqual([]);
    expect(await report(['--json', '--html', 'both.html'])).toMatchObject({
      exit: 0,
      out,
      err: `${JSON.stringify({ kind: 'message', message: 'report     both.html' })}\n`,
    });
    expect(readdirSync(folder)).toEqual(['both.html']);
  });

  it('is the same data that status prints', async () => {
    const io = recordedIo();
    await runCli(gpuProvision, ['status', 'h100-01', '--json'], io, async () => scriptedClient({ views: [seen] }));
    expect(io.out()).toBe((await report(['--json'])).out);
  });

  it('holds no secret that this process has read, also where HTML writes it in another way', async () => {
    const secret = `p&ss<w>"rd'-4711`;
    redactor.remember(secret);
    const path = join(folder, 'x.html');
    const text = `the BMC repeats ${secret} and more`;
    const [status, workflow] = endings['restored']!;
    await report(
      ['--html', path],
      view({ ...status, findings: [{ area: 'now', text }] }, at('23:00:00'), { workflow }),
    );
    const page = readFileSync(path, 'utf8');
    expect(page).toContain('the BMC repeats [redacted] and more');
    expect(page).not.toContain('4711&');
    expect(page).not.toContain('p&amp;ss');
  });

  it('of a run that does not answer says so, and ends with 8', async () => {
    const path = join(folder, 'x.html');
    const away = view(null, at('14:58:13'), { contact: noWorker(null) });
    expect(await report(['--html', path], away)).toMatchObject({ exit: 8 });
    expect(readFileSync(path, 'utf8')).toContain('The run itself could not be asked');
  });

  it('is made while a run is under way', async () => {
    const path = join(folder, 'x.html');
    expect(await report(['--html', path], view(atGate, at('14:32:07')))).toMatchObject({ exit: 0 });
    expect(readFileSync(path, 'utf8')).toContain('7f3a-91c2');
  });

  it.each([
    [
      () => join(folder, 'nowhere', 'x.html'),
      /--html .*nowhere\/x\.html: there is no folder .*nowhere; expected a file in/,
    ],
    [() => folder, /--html .* is a folder; expected the name of a file/],
  ])('refuses a bad path before it connects', async (path, message) => {
    const { exit, err, connections } = await report(['--html', path()]);
    expect({ exit, connections }).toEqual({ exit: 2, connections: 0 });
    expect(err).toMatch(message);
  });

  it('says what is wrong when the page cannot be written, and leaves nothing behind', async () => {
    const { exit, err } = await report(['--html', join(folder, `${'x'.repeat(250)}.html`)]);
    expect(exit).toBe(2);
    expect(err).toMatch(/x\.html cannot be written: ENAMETOOLONG/);
    expect(readdirSync(folder)).toEqual([]);
  });
});
