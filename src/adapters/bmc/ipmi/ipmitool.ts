/**
 * Runs ipmitool. The password goes through its environment, which only the worker's user can read; an argument would show in
 * the process list of the whole machine.
 * @module
 */
import { execFile } from 'node:child_process';
import type { ProvisionError } from '../../../ports/failure.js';
import type { BmcCredentials } from '../credentials.js';
import { inSpan } from '../../../tracing/span.js';
import { bmcUnavailable } from '../failure.js';

/** ipmitool gives up by itself when a session does not come about within 2 s × 4. */
const SECONDS_PER_PACKET = 2;
const RETRIES_PER_PACKET = 3;

const MAX_OUTPUT_BYTES = 1024 * 1024;

export interface IpmiEndpoint {
  readonly host: string;
  readonly port: number;
  readonly cipherSuite: number;
}

export interface IpmitoolRun {
  /** For messages. */
  readonly where: string;
  readonly endpoint: IpmiEndpoint;
  readonly credentials: BmcCredentials;
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Standard output of `ipmitool … ARGS`. Throws ProvisionError BmcUnavailable when it fails, or the signal's reason. */
export async function ipmitool(args: readonly string[], run: IpmitoolRun): Promise<string> {
  const { endpoint, credentials, signal } = run;
  signal?.throwIfAborted();
  // prettier-ignore
  const argv = [
    '-I', 'lanplus', '-H', endpoint.host, '-p', String(endpoint.port), '-C', String(endpoint.cipherSuite),
    '-U', credentials.user, '-E', '-N', String(SECONDS_PER_PACKET), '-R', String(RETRIES_PER_PACKET), ...args,
  ];
  const options = {
    // LC_ALL: the output is parsed. Nothing else of the worker's environment concerns it.
    env: { PATH: process.env['PATH'], LC_ALL: 'C', IPMI_PASSWORD: credentials.password },
    timeout: run.limitMs,
    maxBuffer: MAX_OUTPUT_BYTES,
    ...(signal ? { signal } : {}),
  };
  const place = { 'server.address': endpoint.host, 'server.port': endpoint.port };
  return inSpan(`ipmitool ${args.join(' ')}`, place, () => {
    return new Promise((resolve, reject) => {
      execFile('ipmitool', argv, options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(signal?.aborted ? signal.reason : failure(run, args, error, stderr));
      });
    });
  });
}

function failure(
  { where, endpoint, limitMs }: IpmitoolRun,
  args: readonly string[],
  error: Error & { code?: string | number | null; killed?: boolean },
  stderr: string,
): ProvisionError {
  const tried = `ipmitool -C ${endpoint.cipherSuite} ${args.join(' ')}`;
  if (error.code === 'ENOENT') {
    return bmcUnavailable(
      where,
      tried,
      'ipmitool is not installed on the worker: install ipmitool (apt install ipmitool)',
    );
  }
  if (error.killed) return bmcUnavailable(where, tried, `no answer within ${limitMs / 1000} s`);
  // The cause is left out: its message repeats the whole command line.
  const said = stderr.trim().split('\n').filter(Boolean).join(' | ').slice(-300);
  const hint = /unable to establish/i.test(said) ? NO_SESSION : '';
  return bmcUnavailable(where, tried, `${said || `exit code ${String(error.code)}`}${hint}`);
}

/** RMCP+ does not tell these apart. */
const NO_SESSION = ' (the BMC does not answer there, refuses user or password, or does not know this cipher suite)';
