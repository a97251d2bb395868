/**
 * A host's serial console by ipmitool's serial-over-LAN. Without a terminal ipmitool works as well: it flushes what the BMC sends, and when its
 * input ends it gives the console back. So our end of that pipe is the hold on the console: however a worker ends, it lets go.
 * Source: ipmi_sol_red_pill and ipmi_sol_activate in ipmitool 1.8.19, lib/ipmi_sol.c.
 * @module
 */
import { spawn } from 'node:child_process';
import { inSpan } from '../../../tracing/span.js';
import { bmcUnavailable } from '../failure.js';
import { commandOf, ipmitoolFailure, placeOf, type IpmitoolRun } from './ipmitool.js';

/**
 * No `sol deactivate` first, as one often sees: it would take the console from whoever looks at it. A session that nobody holds any more
 * ends by itself within a minute or so, and the console is free to be taken.
 */
const ARGS = ['sol', 'activate'];
/** What ipmitool prints before the host says anything, in its first line. */
const BANNER = /^\[SOL Session operational\. .*\]$/;
const BANNER_LIMIT = 200;
/** It misses a terminal, and goes on. */
const NOISE = /^tcgetattr: .*\n/gm;
/** To give it back takes one packet, with its repetitions 8 s. */
const LET_GO_LIMIT_MS = 10_000;
const STDERR_LIMIT = 2_000;

/** Returns when the signal has aborted and the console is given back. Throws ProvisionError BmcUnavailable when it is not to be had, or lost. */
export async function readSerialOverLan(
  run: IpmitoolRun,
  hear: (bytes: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  await inSpan(`ipmitool ${ARGS.join(' ')}`, placeOf(run), async () => {
    const { code, stderr } = await activated(run, withoutBanner(hear), signal);
    if (signal.aborted) return;
    const said = stderr.replace(NOISE, '');
    if (code !== 0) throw ipmitoolFailure(run, ARGS, { code }, said);
    throw bmcUnavailable(run.where, `ipmitool ${ARGS.join(' ')}`, 'the session ended by itself');
  });
}

interface Ended {
  readonly code: string | number | null;
  readonly stderr: string;
}

function activated(run: IpmitoolRun, hear: (bytes: Uint8Array) => void, signal: AbortSignal): Promise<Ended> {
  const { argv, env } = commandOf(ARGS, run);
  return new Promise((resolve) => {
    // A group of its own: Ctrl-C at a worker would end it before it has given the console back.
    const child = spawn('ipmitool', argv, { env, stdio: 'pipe', detached: true });
    let stderr = '';
    let kill: NodeJS.Timeout | undefined;
    const letGo = (): void => {
      child.stdin.end();
      kill = setTimeout(() => child.kill('SIGKILL'), LET_GO_LIMIT_MS);
    };
    const ended = (code: Ended['code']): void => {
      clearTimeout(kill);
      signal.removeEventListener('abort', letGo);
      resolve({ code, stderr });
    };
    signal.addEventListener('abort', letGo, { once: true });
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', hear);
    child.stderr.on('data', (bytes) => (stderr = (stderr + String(bytes)).slice(-STDERR_LIMIT)));
    child.on('error', (error: NodeJS.ErrnoException) => ended(error.code ?? error.message));
    child.on('close', (code, by) => ended(code ?? by));
  });
}

/** Keeps back what comes before the first line end, which is ipmitool's own. */
function withoutBanner(hear: (bytes: Uint8Array) => void): (bytes: Uint8Array) => void {
  let line: Uint8Array | null = new Uint8Array();
  return (bytes) => {
    if (line === null) return hear(bytes);
    const begin: Uint8Array = Buffer.concat([line, bytes]);
    const end = begin.indexOf(0x0a);
    if (end === -1 && begin.length < BANNER_LIMIT) return void (line = begin);
    line = null;
    const isBanner = end !== -1 && BANNER.test(Buffer.from(begin.subarray(0, end)).toString('latin1'));
    const rest = isBanner ? begin.subarray(end + 1) : begin;
    if (rest.length > 0) hear(rest);
  };
}
