/**
 * Spans of what an activity does outside: commands, requests, connections. Only the API of OpenTelemetry is used, which does nothing where
 * no SDK was set up.
 * @module
 */
import { context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { SpanAttributes } from './attributes.js';

export const TRACER = 'gpu-provision';

/** Adds what is known only later. */
export type Note = (attributes: SpanAttributes) => void;

/** Runs `body` as a span of the trace that it is called in; where there is none, just runs it: what no run asked for is in no trace. */
export async function inSpan<T>(
  name: string,
  attributes: SpanAttributes,
  body: (note: Note) => Promise<T>,
): Promise<T> {
  if (trace.getActiveSpan() === undefined) return body(() => undefined);
  return trace
    .getTracer(TRACER)
    .startActiveSpan(name, { kind: SpanKind.CLIENT, attributes: present(attributes) }, (span) => within(span, body));
}

/** Runs `body` and ends the span, with the error's type when it throws. */
export async function within<T>(span: Span, body: (note: Note) => Promise<T>): Promise<T> {
  try {
    return await body((more) => span.setAttributes(present(more)));
  } catch (error) {
    span.setAttribute('error.type', errorType(error));
    const message = error instanceof Error ? error.message : String(error);
    // Waiting is not an error.
    if (!isBenign(error)) span.setStatus({ code: SpanStatusCode.ERROR, message });
    throw error;
  } finally {
    span.end();
  }
}

/** No spans in it: for loops that look again and again, where the last look says it all. */
export function quietly<T>(body: () => Promise<T>): Promise<T> {
  return context.with(trace.deleteSpan(context.active()), body);
}

/** As Temporal marks failures that are expected. */
const isBenign = (error: unknown): boolean => error instanceof Error && Reflect.get(error, 'category') === 'BENIGN';

/** As the tables of failures and of the client's errors name it; of other errors, the class. */
function errorType(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  for (const key of ['type', 'kind'] as const) {
    const value: unknown = Reflect.get(error, key);
    if (typeof value === 'string' && value !== '') return value;
  }
  return error.name;
}

export function present(attributes: SpanAttributes): Record<string, string | number> {
  const entries = Object.entries(attributes).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [[name, value] as const],
  );
  return Object.fromEntries(entries);
}
