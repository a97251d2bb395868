/**
 * `npm run demo`: Temporal, a simulated rack, a worker and the real command, on this machine, without any server.
 * @module
 */
import { relative } from 'node:path';
import { EXIT } from '../../src/domain/run/outcomes.js';
import { ToolUnavailable } from '../tools/tool.js';
import { attend } from './attend.js';
import { DEMO_FAULTS, DURATIONS } from './faults.js';
import { openDemoFolder, type DemoFolder } from './folder.js';
import { BadOption } from '../tools/options.js';
import { parseOptions, USAGE, type DemoOptions } from './options.js';
import { MAIN, runStartProvision, writeReport } from './programs.js';
import { resultOf } from './result.js';
import { openDemoSite } from './site.js';

const SERVER = 'h100-01';
const SERIAL = '5XKQ1P3';
const INTERRUPTED = 130;

const report = (line: string): void => void process.stderr.write(`demo  ${line}\n`);

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return print(USAGE);
  if (options.listFaults) return print(listOfFaults());

  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const folder = await openDemoFolder('.demo');
    return await run(options, folder, stop.signal, (close) => closers.unshift(close));
  } catch (error) {
    if (stop.signal.aborted) return INTERRUPTED;
    throw error;
  } finally {
    if (stop.signal.aborted) report('stopping');
    for (const close of closers) await close();
  }
}

async function run(
  options: DemoOptions,
  folder: DemoFolder,
  signal: AbortSignal,
  onEnd: (close: () => Promise<unknown>) => void,
): Promise<number> {
  const { fault } = options;
  const site = await openDemoSite(folder, {
    servers: [{ name: SERVER, serial: SERIAL }],
    faults: fault?.rules ?? [],
    durations: { ...DURATIONS, ...fault?.durations },
    onEnd,
  });
  const { temporal, client, env } = site;
  const { address, namespace } = temporal;
  report(`Temporal   ${address}   UI ${temporal.uiUrl}`);
  for (const { host, bmc } of site.servers) {
    report(`rack       ${host.name}: ssh ${host.ssh.host}:${host.ssh.port}, BMC ${bmc.url}, 8 simulated H100`);
  }

  let worker = await site.startWorker();
  onEnd(() => worker.stop());
  report(`worker     running; log ${folder.workerLog}`);

  const host = site.rack.host(SERVER);
  fault?.before?.(host);
  if (fault !== null) report(`fault      ${fault.summary}`);
  sayHow(options, folder, address, temporal.uiUrl);

  const over = new AbortController();
  signal.addEventListener('abort', () => over.abort(), { once: true });
  const attendance = attend(
    {
      client,
      host,
      fault,
      yes: options.yes,
      report,
      restartWorker: async () => {
        worker.kill();
        await worker.exited;
        worker = await site.startWorker();
        report('fault: the worker is back');
      },
    },
    over.signal,
  );
  // Without it nobody would answer, so the command ends with it.
  attendance.catch(() => over.abort());
  const interactive = !options.yes && process.stdin.isTTY;
  const command = { server: SERVER, folder, env, interactive, resultsToStderr: options.json };
  const code = await runStartProvision(command, over.signal).finally(() => over.abort());
  await attendance;
  // While it shows the run, the command reads the terminal's keys, Ctrl-C among them, and says so with its exit code.
  if (code === INTERRUPTED) return code;

  const view = await client.status(SERVER);
  await writeReport(SERVER, folder, env);
  const result = await resultOf(view, address, namespace);
  report(`report     ${folder.reportPage} and ${folder.report}   ${result.historyEvents} events in the history`);
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  if (options.exit) {
    report(`history    temporal server start-dev --db-filename ${folder.database}   shows it again`);
  } else {
    report(`UI         ${runUrl(temporal.uiUrl)}`);
    report('Temporal, rack and worker are still running. Ctrl-C stops them.');
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }
  return code;
}

function sayHow(options: DemoOptions, folder: DemoFolder, address: string, uiUrl: string | null): void {
  const command = `TEMPORAL_ADDRESS=${address} node ${relative(process.cwd(), MAIN)}`;
  if (!options.yes) {
    report('when it asks for the approval, answer here, or in another terminal:');
    report(`             ${command} approve ${SERVER} --digest DIGEST --reason "looks right"`);
    report(`           or in the UI: Send a Signal, approve, {"gate":"reboot","digest":"DIGEST"}`);
    report(`             ${runUrl(uiUrl)}`);
  }
  report(`$ start-provision --server ${SERVER} --inventory ${folder.inventory}`);
}

function runUrl(uiUrl: string | null): string {
  return `${uiUrl}/namespaces/default/workflows/provision%2F${SERVER}`;
}

function listOfFaults(): string {
  const width = Math.max(...DEMO_FAULTS.map(({ name }) => name.length)) + 2;
  return DEMO_FAULTS.map(({ name, summary, ends }) => `${name.padEnd(width)}${summary} (ends ${ends})\n`).join('');
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.done;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof BadOption) {
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    process.exitCode = EXIT.badInput;
  } else if (error instanceof ToolUnavailable) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EXIT.badInput;
  } else {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = EXIT.bug;
  }
}
