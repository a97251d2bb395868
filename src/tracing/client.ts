/**
 * Spans of what a person asks for. Only calls that begin or change something have one: a view looks every second.
 * @module
 */
import { type Context, context, propagation, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { ownSpan, TRACE_HEADER, traceCarrier, WORKFLOW_SPAN } from '../domain/run/trace.js';
import type { SpanAttributes } from './attributes.js';
import { openTracing, type Tracing } from './open.js';
import { present, TRACER, within } from './span.js';

const SERVICE = 'gpu-provision';

type Headers = Readonly<Record<string, Payload>>;

let opened: Tracing | undefined;

/** For the options of a Client: what it starts and sends carries the trace. Sets the SDK up, once a process. */
export function clientInterceptors(): WorkflowClientInterceptor[] {
  // A person is in front of it, and is not told what a collector does; the worker's log says it.
  opened ??= openTracing({ service: SERVICE, warn: () => undefined });
  return [
    {
      startWithDetails: (input, next) => next({ ...input, headers: withTrace(input.headers) }),
      startUpdate: (input, next) => next({ ...input, headers: withTrace(input.headers) }),
    },
  ];
}

function withTrace(headers: Headers): Headers {
  const carrier = {};
  propagation.inject(context.active(), carrier);
  return Object.keys(carrier).length === 0
    ? headers
    : { ...headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) };
}

/** A span that begins a trace, or goes on with that of a run. */
export function asRoot<T>(
  name: string,
  attributes: SpanAttributes,
  parent: Context | null,
  body: () => Promise<T>,
): Promise<T> {
  return trace
    .getTracer(TRACER)
    .startActiveSpan(name, { kind: SpanKind.CLIENT, attributes: present(attributes) }, parent ?? ROOT_CONTEXT, (span) =>
      within(span, body),
    );
}

/** The trace of a run, by the headers of its first event: the one that it was started in, else its own. */
export function traceOf(runId: string, headers: Headers | null | undefined): Context {
  const payload = headers?.[TRACE_HEADER];
  const carrier: unknown =
    payload === undefined ? traceCarrier(ownSpan(runId, WORKFLOW_SPAN)) : defaultPayloadConverter.fromPayload(payload);
  return propagation.extract(ROOT_CONTEXT, carrier);
}

/** Sends what is left. */
export async function closeTracing(): Promise<void> {
  await opened?.flush();
}
