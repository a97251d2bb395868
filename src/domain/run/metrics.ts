/**
 * Every metric of ours by the name that Prometheus sees. Rules, dashboard and docs name these and no others. Labels are bounded: no server,
 * no run, no text.
 * @module
 */
export interface Metric {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
}

/** Seconds. From a step that had nothing to do to a question that waited for days. */
export const DURATION_BUCKETS = [1, 5, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];
/** Seconds. A probe is made every half second, a workflow task takes milliseconds. */
export const LAG_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export const METRICS = {
  gpu_provision_phase_duration_seconds: {
    kind: 'histogram',
    labels: ['site', 'phase', 'outcome'],
    help: 'Time of a phase until it was done, failed or undone, waiting for people included.',
  },
  gpu_provision_run_duration_seconds: {
    kind: 'histogram',
    labels: ['site', 'outcome'],
    help: 'Time of a run from its begin to its outcome.',
  },
  gpu_provision_question_wait_seconds: {
    kind: 'histogram',
    labels: ['site', 'question', 'answer'],
    help: 'Time that a question was open until it was answered; answer is none where it expired or became void.',
  },
  gpu_provision_reboot_duration_seconds: {
    kind: 'histogram',
    labels: ['site', 'purpose', 'outcome'],
    help: 'Time from the request to reboot until it was known which boot it became.',
  },
  gpu_provision_detection_lag_seconds: {
    kind: 'histogram',
    labels: ['site', 'change'],
    help: 'Time from the probe that saw a host leave or return to the moment when its run acts on it.',
  },
  gpu_provision_escalations_total: {
    kind: 'counter',
    labels: ['site', 'rung'],
    help: 'Rungs taken on hosts that did not come back in time; person is the last.',
  },
  gpu_provision_announcements_total: {
    kind: 'counter',
    labels: ['site', 'result'],
    help: 'Announcements by what became of them: delivered, refused by a receiver, or undelivered.',
  },
  gpu_provision_audit_lines_total: {
    kind: 'counter',
    labels: ['site', 'result'],
    help: 'Lines of the audit record by what became of them: written, delayed (each time that writing fails), or lost at the end of a run.',
  },
  gpu_provision_runs_open: {
    kind: 'gauge',
    labels: ['site', 'phase'],
    help: 'Runs that are not over, by the phase they are in.',
  },
  gpu_provision_questions_open: {
    kind: 'gauge',
    labels: ['site', 'question'],
    help: 'Questions that wait for a person, by kind: reboot, disks, parked, needs-hands.',
  },
  gpu_provision_oldest_question_age_seconds: {
    kind: 'gauge',
    labels: ['site', 'question'],
    help: 'Age of the question that waits longest, by kind; 0 where none is open.',
  },
  gpu_provision_collected_timestamp_seconds: {
    kind: 'gauge',
    labels: ['site'],
    help: 'When the gauges of open runs and questions were collected last, in Unix time. They are no news when it stands still.',
  },
} as const satisfies Record<string, Metric>;

type NameOf<K extends Metric['kind']> = {
  [N in keyof typeof METRICS]: (typeof METRICS)[N]['kind'] extends K ? N : never;
}[keyof typeof METRICS];

export type CounterName = NameOf<'counter'>;
export type GaugeName = NameOf<'gauge'>;
export type HistogramName = NameOf<'histogram'>;
export type LabelsOf<N extends keyof typeof METRICS> = Readonly<Record<(typeof METRICS)[N]['labels'][number], string>>;

/** What a meter is told: the exporter adds `_total` to counters itself, and the unit only where one is given. */
export const meterName = (name: keyof typeof METRICS): string => name.replace(/_total$/, '');
