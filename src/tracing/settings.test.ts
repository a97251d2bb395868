import { describe, expect, it } from 'vitest';
import { TracingError, tracingWanted } from './settings.js';

const URL_SET = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

describe('spans are wanted', () => {
  it.each([
    [{}, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, false],
    [URL_SET, true],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector.example.org/v1/traces' }, true],
    [{ ...URL_SET, OTEL_SDK_DISABLED: 'TRUE' }, false],
    [{ ...URL_SET, OTEL_TRACES_EXPORTER: 'none' }, false],
    [{ ...URL_SET, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, true],
  ])('with %o: %s', (env, wanted) => {
    expect(tracingWanted(env)).toBe(wanted);
  });
});

it.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT collector:4318: expected a URL'],
  [
    { ...URL_SET, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' },
    'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL grpc: expected http/',
  ],
])('%o is refused by its name, with what would be right', (env, message) => {
  expect(() => tracingWanted(env)).toThrow(TracingError);
  expect(() => tracingWanted(env)).toThrow(message);
});
