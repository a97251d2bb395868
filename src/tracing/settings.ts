/**
 * Whether spans are wanted, by OpenTelemetry's own environment variables. Nothing of OpenTelemetry is loaded to find out.
 * @module
 */

type Environment = Readonly<Record<string, string | undefined>>;

/** The message names the variable, its value and what would be right. */
export class TracingError extends Error {
  override readonly name = 'TracingError';
}

const ENDPOINTS = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'] as const;
const PROTOCOLS = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'] as const;

/** With an endpoint, and not switched off. Throws TracingError for an endpoint or a protocol that cannot be used. */
export function tracingWanted(env: Environment): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return false;
  const name = ENDPOINTS.find((candidate) => isSet(env[candidate]));
  if (name === undefined) return false;
  const url = env[name] ?? '';
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new TracingError(`${name} ${url}: expected a URL with http:// or https://, e.g. http://127.0.0.1:4318`);
  const protocol = PROTOCOLS.find((candidate) => isSet(env[candidate]));
  if (protocol !== undefined && env[protocol] === 'grpc')
    throw new TracingError(`${protocol} grpc: expected http/json; most collectors take it on port 4318`);
  return true;
}

const isSet = (value: string | undefined): boolean => value !== undefined && value !== '';
