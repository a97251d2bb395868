/**
 * Spans of a worker: workflows hand theirs out through a sink, and each attempt of an activity is one.
 * @module
 */
import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import type { IResource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import type { WorkflowInfo } from '@temporalio/workflow';
import { serverOfWorkflow } from '../domain/run/messages.js';
import { phaseOfActivity } from '../domain/run/steps.js';
import { ownSpan, parseTraceParent, TRACE_HEADER, type TraceParent, type WorkflowSpan } from '../domain/run/trace.js';
import { openTracing, type TracingOptions } from './open.js';
import { present, TRACER, within } from './span.js';

export type WorkflowSpanSinks = {
  readonly trace: { ended(span: WorkflowSpan): void };
};

export interface WorkerTracing {
  readonly sinks: InjectedSinks<WorkflowSpanSinks>;
  readonly activity: readonly ActivityInterceptorsFactory[];
  readonly close: () => Promise<void>;
}

export function openWorkerTracing(options: TracingOptions): WorkerTracing {
  const { processor, resource, close } = openTracing(options);
  const ended = (info: Pick<WorkflowInfo, 'workflowId' | 'runId'>, span: WorkflowSpan): void =>
    processor.onEnd(readable(info, span, resource));
  return { sinks: { trace: { ended: { fn: ended, callDuringReplay: false } } }, activity: [attempts], close };
}

const attempts: ActivityInterceptorsFactory = ({ info }) => ({
  inbound: {
    execute(input, next) {
      const { workflowId = '', runId = '' } = info.workflowExecution ?? {};
      const attributes = {
        'temporal.workflow.id': workflowId,
        'temporal.run.id': runId,
        'temporal.activity.attempt': info.attempt,
        'gpu_provision.server': serverOfWorkflow(workflowId),
        'gpu_provision.phase': phaseOfActivity(info.activityType),
        'gpu_provision.step': info.activityType,
      };
      const span = { kind: SpanKind.INTERNAL, attributes: present(attributes) };
      return trace
        .getTracer(TRACER)
        .startActiveSpan(`RunActivity:${info.activityType}`, span, parentOf(input, runId, info.activityId), (it) =>
          within(it, () => next(input)),
        );
    },
  },
});

/** Without a header the workflow was told of no trace; then it has one of its own, in which activities are numbered by their id. */
function parentOf({ headers }: ActivityExecuteInput, runId: string, activityId: string): Context {
  const payload = headers[TRACE_HEADER];
  const told = payload === undefined ? null : parseTraceParent(defaultPayloadConverter.fromPayload(payload));
  return trace.setSpanContext(ROOT_CONTEXT, {
    ...spanContext(told ?? ownSpan(runId, Number(activityId))),
    isRemote: true,
  });
}

const spanContext = ({ traceId, spanId, sampled }: TraceParent) => ({
  traceId,
  spanId,
  traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
});

function readable(
  { workflowId, runId }: Pick<WorkflowInfo, 'workflowId' | 'runId'>,
  span: WorkflowSpan,
  resource: IResource,
): ReadableSpan {
  const { name, parentSpanId, startedAtMs, endedAtMs, error } = span;
  const attributes = {
    'temporal.workflow.id': workflowId,
    'temporal.run.id': runId,
    'gpu_provision.server': serverOfWorkflow(workflowId),
    'error.type': error?.type,
  };
  return {
    name,
    kind: SpanKind.INTERNAL,
    spanContext: () => spanContext(span),
    ...(parentSpanId === null ? {} : { parentSpanId }),
    startTime: hrTime(startedAtMs),
    endTime: hrTime(endedAtMs),
    duration: hrTime(endedAtMs - startedAtMs),
    status: error === null ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: error.message },
    attributes: present(attributes),
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationLibrary: { name: TRACER },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Seconds and nanoseconds. */
const hrTime = (ms: number): [number, number] => [Math.floor(ms / 1_000), (ms % 1_000) * 1_000_000];
