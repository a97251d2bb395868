/**
 * What a worker tells of itself: its log, and its metrics for Prometheus.
 * @module
 */
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { DURATION_BUCKETS, LAG_BUCKETS, METRICS, type Metric } from './domain/run/metrics.js';
import { logLine, type LogFormat } from './worker-log.js';

export interface WorkerTelemetry {
  readonly logFormat: LogFormat;
  /** `IP:PORT` that serves `/metrics`; without it there are none. */
  readonly metricsAddress?: string;
}

/** Before anything else of Temporal's worker is used; once a process. */
export function installTelemetry({ logFormat, metricsAddress }: WorkerTelemetry): void {
  Runtime.install({
    logger: new DefaultLogger('INFO', (entry) => process.stderr.write(logLine(entry, logFormat))),
    telemetryOptions: {
      // Forwarded: by itself the native part writes to stderr, past the logger.
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      ...(metricsAddress === undefined ? {} : { metrics: { prometheus: exporter(metricsAddress) } }),
    },
  });
}

/** Names as Prometheus has them by convention, also of the SDK's own metrics. */
function exporter(bindAddress: string) {
  const histograms = Object.entries<Metric>(METRICS).filter(([, { kind }]) => kind === 'histogram');
  return {
    bindAddress,
    countersTotalSuffix: true,
    unitSuffix: true,
    useSecondsForDurations: true,
    histogramBucketOverrides: Object.fromEntries(
      histograms.map(([name]) => [name, name.includes('_lag_') ? LAG_BUCKETS : DURATION_BUCKETS]),
    ),
  };
}
