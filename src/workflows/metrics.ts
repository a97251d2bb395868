/**
 * Metrics from workflow code: not at replay. A value is lost, or told twice, when a worker dies in the same moment, so nothing is decided
 * by them.
 * @module
 */
import { metricMeter } from '@temporalio/workflow';
import { METRICS, meterName, type CounterName, type HistogramName, type LabelsOf } from '../domain/run/metrics.js';

export function observe<N extends HistogramName>(name: N, seconds: number, labels: LabelsOf<N>): void {
  metricMeter.createHistogram(meterName(name), 'float', undefined, METRICS[name].help).record(seconds, labels);
}

export function increase<N extends CounterName>(name: N, labels: LabelsOf<N>, by = 1): void {
  metricMeter.createCounter(meterName(name), undefined, METRICS[name].help).add(by, labels);
}
