/**
 * Spans of workflows. Always part of the bundle, also where no worker sends spans: whether it does must not change what workflow code does.
 * So nothing is awaited here, and what Temporal gives is handed on as it is; only a run whose start was traced has headers of it.
 * @module
 */
import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import { proxySinks, type Sinks, workflowInfo, type WorkflowInterceptors } from '@temporalio/workflow';
import {
  FIRST_MESSAGE_SPAN,
  ownSpan,
  ownSpanId,
  parseTraceParent,
  TRACE_HEADER,
  traceCarrier,
  type TraceParent,
  type WorkflowSpan,
  WORKFLOW_SPAN,
} from '../domain/run/trace.js';
import { failureType, rootFailure } from './failure.js';

/** What a worker must have for them. */
export interface TraceSinks extends Sinks {
  readonly trace: { ended(span: WorkflowSpan): void };
}

/** Queries, which a view puts every second, are left out. */
export function interceptors(): WorkflowInterceptors {
  const { runId, workflowType } = workflowInfo();
  const sink = proxySinks<TraceSinks>().trace;
  let told = false;
  let root = ownSpan(runId, WORKFLOW_SPAN);
  let messages = FIRST_MESSAGE_SPAN;

  /** Says when it is over; the promise itself stays the one that it was, so that nobody hears of its end later. */
  const watch = <T>(name: string, parent: TraceParent | null, spanId: string, work: Promise<T>): Promise<T> => {
    const { traceId, sampled } = parent ?? root;
    const startedAtMs = Date.now();
    const ended = (error: WorkflowSpan['error']): void => {
      const parentSpanId = parent?.spanId ?? null;
      if (sampled)
        sink.ended({ name, traceId, spanId, parentSpanId, sampled, startedAtMs, endedAtMs: Date.now(), error });
    };
    work.then(
      () => ended(null),
      (error: unknown) => ended(errorOf(error)),
    );
    return work;
  };
  const message = <T>(name: string, headers: Headers, work: () => Promise<T>): Promise<T> => {
    messages += 1;
    return watch(name, traceOf(headers) ?? root, ownSpanId(runId, messages), work());
  };

  return {
    inbound: [
      {
        execute(input, next) {
          const parent = traceOf(input.headers);
          told = parent !== null;
          root = { ...root, ...(parent === null ? {} : { traceId: parent.traceId, sampled: parent.sampled }) };
          return watch(`RunWorkflow:${workflowType}`, parent, root.spanId, next(input));
        },
        handleSignal: (input, next) => message(`HandleSignal:${input.signalName}`, input.headers, () => next(input)),
        handleUpdate: (input, next) => message(`HandleUpdate:${input.name}`, input.headers, () => next(input)),
      },
    ],
    outbound: [
      {
        scheduleActivity(input, next) {
          const span = { ...root, spanId: ownSpanId(runId, input.seq) };
          const headers = told ? { ...input.headers, [TRACE_HEADER]: payloadOf(span) } : input.headers;
          return watch(`StartActivity:${input.activityType}`, root, span.spanId, next({ ...input, headers }));
        },
      },
    ],
  };
}

const payloadOf = (span: TraceParent) => defaultPayloadConverter.toPayload(traceCarrier(span));

function traceOf(headers: Headers): TraceParent | null {
  const payload = headers[TRACE_HEADER];
  return payload === undefined ? null : parseTraceParent(defaultPayloadConverter.fromPayload(payload));
}

function errorOf(error: unknown): WorkflowSpan['error'] {
  const message = error instanceof Error ? error.message : String(error);
  return { type: rootFailure(error)?.type ?? failureType(error), message };
}
