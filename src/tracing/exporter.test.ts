import { SpanStatusCode } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { expect, it } from 'vitest';
import { redactor } from '../adapters/secrets/index.js';
import { RedactingExporter } from './exporter.js';

function tracer(next: SpanExporter, warned: string[] = []) {
  const processor = new SimpleSpanProcessor(new RedactingExporter(next, (text) => warned.push(text)));
  return new BasicTracerProvider({ spanProcessors: [processor] }).getTracer('test');
}

it('takes secrets out of names, attributes and messages, and leaves the rest as it is', () => {
  redactor.remember('hunter2-hunter2');
  const memory = new InMemorySpanExporter();
  const span = tracer(memory).startSpan('login hunter2-hunter2', {
    attributes: { said: 'no: hunter2-hunter2', port: 22 },
  });
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'refused hunter2-hunter2' }).end();
  const [sent] = memory.getFinishedSpans();
  expect(sent).toMatchObject({
    name: 'login [redacted]',
    attributes: { said: 'no: [redacted]', port: 22 },
    status: { code: SpanStatusCode.ERROR, message: 'refused [redacted]' },
    ended: true,
  });
  expect(sent?.spanContext()).toEqual(span.spanContext());
  expect(sent?.duration).toHaveLength(2);
});

it('says once that spans are lost, and once that they are taken again', () => {
  const results = [new Error('connect ECONNREFUSED'), new Error('connect ECONNREFUSED'), undefined, undefined];
  const next: SpanExporter = {
    export: (_spans, done) => {
      const error = results.shift();
      done(error === undefined ? { code: ExportResultCode.SUCCESS } : { code: ExportResultCode.FAILED, error });
    },
    shutdown: async () => undefined,
  };
  const warned: string[] = [];
  const source = tracer(next, warned);
  for (let i = 0; i < 4; i += 1) source.startSpan('span').end();
  expect(warned).toEqual(['spans are lost, runs are unaffected: connect ECONNREFUSED', 'spans are taken again']);
});
