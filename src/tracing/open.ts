/**
 * Sets OpenTelemetry's SDK up for this process. Loaded only where spans are wanted.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { envDetectorSync, type IResource, Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { redactor } from '../adapters/secrets/index.js';
import { RedactingExporter } from './exporter.js';

/** For one batch, where OTEL_EXPORTER_OTLP_TIMEOUT says nothing else: whoever ends waits for the last one. */
const EXPORT_LIMIT_MS = 3_000;
/** At the end: a collector that answers late loses the last spans. */
const CLOSE_LIMIT_MS = 5_000;

export interface Tracing {
  readonly processor: SpanProcessor;
  readonly resource: IResource;
  /** Sends what is left. Never throws, and takes at most five seconds. */
  readonly flush: () => Promise<void>;
  /** The same, and nothing is taken any more. */
  readonly close: () => Promise<void>;
}

export interface TracingOptions {
  /** `service.name` where OTEL_SERVICE_NAME is not set. */
  readonly service: string;
  readonly warn: (text: string) => void;
}

/** Once a process. The exporter reads OpenTelemetry's environment variables itself. */
export function openTracing({ service, warn }: TracingOptions): Tracing {
  // They hold the collector's credentials.
  for (const name of ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS']) rememberValues(name);
  const exporter = new OTLPTraceExporter(limitIsSet() ? {} : { timeoutMillis: EXPORT_LIMIT_MS });
  const processor = new BatchSpanProcessor(new RedactingExporter(exporter, warn));
  const resource = new Resource({ 'service.name': service }).merge(envDetectorSync.detect());
  const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
  provider.register();
  return {
    processor,
    resource,
    flush: () => patiently(provider.forceFlush()),
    close: () => patiently(provider.shutdown()),
  };
}

async function patiently(sending: Promise<void>): Promise<void> {
  await Promise.race([sending.catch(() => undefined), delay(CLOSE_LIMIT_MS, undefined, { ref: false })]);
}

const limitIsSet = (): boolean =>
  ['OTEL_EXPORTER_OTLP_TIMEOUT', 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT'].some((name) => process.env[name] !== undefined);

/** `name=value,name=value`, values percent-encoded. */
function rememberValues(name: string): void {
  for (const pair of (process.env[name] ?? '').split(',')) {
    const value = pair.slice(pair.indexOf('=') + 1).trim();
    for (const secret of [value, decoded(value), value.replace(/^(?:basic|bearer)(?:\s|%20)+/i, '')])
      if (secret !== '') redactor.remember(secret);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
