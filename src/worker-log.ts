/**
 * The log of a worker: one stream for what our code, the workflows and Temporal's native part say, without the secrets that this process has read.
 * @module
 */
import { formatWithOptions } from 'node:util';
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { plainLines } from './domain/text/plain.js';
import { redactor } from './adapters/secrets/index.js';

/** Before anything else of Temporal's worker is used; once a process. */
export function installWorkerLog(): void {
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, timestampNanos, message, meta }) => {
      const at = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
      const more = meta === undefined ? '' : ` ${formatWithOptions({ colors: false }, redactor.value(meta))}`;
      // Hosts are quoted in it: further lines are indented, so that none of them looks like an entry of its own.
      const lines = plainLines(redactor.text(`${at} [${level}] ${message}${more}`));
      process.stderr.write(`${lines.replaceAll('\n', '\n  ')}\n`);
    }),
    // Forwarded: by itself the native part writes to stderr, past the logger.
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
  });
}
