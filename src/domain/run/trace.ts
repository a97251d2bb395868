/**
 * The trace of a run. A client that traces says which it belongs to, in a header of the start; a run that was told of none has one of its
 * own, whose ids follow from its run id. So nothing of it needs to be kept, and every replay finds the same ids.
 * @module
 */

/** Where Temporal's own interceptors for OpenTelemetry look for it, in every SDK: JSON with W3C's `traceparent`. */
export const TRACE_HEADER = '_tracer-data';

export interface TraceParent {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** A span of a workflow, when it is over. */
export interface WorkflowSpan extends TraceParent {
  readonly name: string;
  readonly parentSpanId: string | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** null when it went well. */
  readonly error: { readonly type: string; readonly message: string } | null;
}

/** Of the JSON in the header; null for what is no trace. */
export function parseTraceParent(carrier: unknown): TraceParent | null {
  if (typeof carrier !== 'object' || carrier === null || !('traceparent' in carrier)) return null;
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(String(carrier.traceparent)) ?? [];
  if (traceId === undefined || spanId === undefined) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags ?? '', 16) & 1) === 1 };
}

export function traceCarrier({ traceId, spanId, sampled }: TraceParent): { readonly traceparent: string } {
  return { traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}` };
}

const TRACE_DIGITS = 32;
const SPAN_DIGITS = 16;
/** Spans of a run by number: the workflow itself, its activities by their sequence number, and messages to it. */
export const WORKFLOW_SPAN = 0;
export const FIRST_MESSAGE_SPAN = 2 ** 32;

/** The span with this number of a run that was told of no trace. */
export function ownSpan(runId: string, number: number): TraceParent {
  return { traceId: ownTraceId(runId), spanId: ownSpanId(runId, number), sampled: true };
}

/** A run id is a UUID, which has as many digits as a trace id. */
function ownTraceId(runId: string): string {
  return runId
    .toLowerCase()
    .replaceAll(/[^0-9a-f]/g, '')
    .padEnd(TRACE_DIGITS, '1')
    .slice(0, TRACE_DIGITS);
}

export function ownSpanId(runId: string, number: number): string {
  const base = BigInt(`0x${ownTraceId(runId).slice(-SPAN_DIGITS)}`);
  return BigInt.asUintN(SPAN_DIGITS * 4, base + BigInt(number))
    .toString(16)
    .padStart(SPAN_DIGITS, '0');
}
