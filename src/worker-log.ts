/**
 * The log of a worker: one stream for what our code, the workflows and Temporal's native part say, without the secrets that this process
 * has read. Its fields are in docs/monitoring.md.
 * @module
 */
import { formatWithOptions } from 'node:util';
import type { LogEntry } from '@temporalio/worker';
import { redactor } from './adapters/secrets/index.js';
import { serverOfWorkflow } from './domain/run/messages.js';
import { phaseOfActivity } from './domain/run/steps.js';
import { plainJson, plainLines } from './domain/text/plain.js';

export const LOG_FORMATS = ['json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** With its line end. */
export function logLine(entry: LogEntry, format: LogFormat): string {
  return format === 'json' ? jsonLine(entry) : textLine(entry);
}

function textLine({ level, timestampNanos, message, meta }: LogEntry): string {
  const more = meta === undefined ? '' : ` ${formatWithOptions({ colors: false }, redactor.value(meta))}`;
  // Hosts are quoted in it: further lines are indented, so that none of them looks like an entry of its own.
  const lines = plainLines(redactor.text(`${stampOf(timestampNanos)} [${level}] ${message}${more}`));
  return `${lines.replaceAll('\n', '\n  ')}\n`;
}

/** What the SDK says of itself, and of no use to a reader. */
const LEFT_OUT = ['taskToken', 'workflowType', 'activityId', 'isLocal', 'namespace'];

function jsonLine({ level, timestampNanos, message, meta = {} }: LogEntry): string {
  const { workflowId, runId, activityType, attempt, sdkComponent, phase, server, error, ...more } = meta;
  const step = typeof activityType === 'string' ? activityType : undefined;
  const fields = {
    at: stampOf(timestampNanos),
    level,
    message,
    server: server ?? (typeof workflowId === 'string' ? serverOfWorkflow(workflowId) : undefined),
    run: runId,
    phase: phase ?? (step === undefined ? undefined : phaseOfActivity(step)),
    step,
    attempt,
    component: sdkComponent,
    ...(error === undefined ? {} : { error: errorOf(error) }),
    ...Object.fromEntries(Object.entries(more).filter(([name]) => !LEFT_OUT.includes(name))),
  };
  return `${redactor.text(plainJson(redactor.value(fields)))}\n`;
}

const stampOf = (nanoseconds: bigint): string => new Date(Number(nanoseconds / 1_000_000n)).toISOString();

/** As JSON an Error would be empty. */
function errorOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  const type = 'type' in error && typeof error.type === 'string' ? error.type : name;
  return { type, message, stack, ...(cause === undefined ? {} : { cause: errorOf(cause) }) };
}
