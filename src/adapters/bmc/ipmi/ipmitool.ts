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
  const { signal } = run;
  signal?.throwIfAborted();
  const { argv, env } = commandOf(args, run);
  const options = { env, timeout: run.limitMs, maxBuffer: MAX_OUTPUT_BYTES, ...(signal ? { signal } : {}) };
  return inSpan(`ipmitool ${args.join(' ')}`, placeOf(run), () => {
    return new Promise((resolve, reject) => {
      execFile('ipmitool', argv, options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(signal?.aborted ? signal.reason : ipmitoolFailure(run, args, error, stderr));
      });
    });
  });
}

export function commandOf(
  args: readonly string[],
  { endpoint, credentials }: Pick<IpmitoolRun, 'endpoint' | 'credentials'>,
): { readonly argv: string[]; readonly env: Record<string, string | undefined> } {
  // prettier-ignore
  const argv = [
    '-I', 'lanplus', '-H', endpoint.host, '-p', String(endpoint.port), '-C', String(endpoint.cipherSuite),
    '-U', credentials.user, '-E', '-N', String(SECONDS_PER_PACKET), '-R', String(RETRIES_PER_PACKET), ...args,
  ];
  // LC_ALL: the output is parsed. Nothing else of the worker's environment concerns it.
  return { argv, env: { PATH: process.env['PATH'], LC_ALL: 'C', IPMI_PASSWORD: credentials.password } };
}

export const placeOf = ({ endpoint }: Pick<IpmitoolRun, 'endpoint'>): Record<string, string | number> => ({
  'server.address': endpoint.host,
  'server.port': endpoint.port,
});

export function ipmitoolFailure(
  { where, endpoint, limitMs }: Pick<IpmitoolRun, 'where' | 'endpoint' | 'limitMs'>,
  args: readonly string[],
  error: { readonly code?: string | number | null; readonly killed?: boolean },
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
