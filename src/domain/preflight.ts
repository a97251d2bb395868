/**
 * Results of preflight and of the read-only plan, as people and programs see them.
 * @module
 */
import type { PhaseName } from './run/phases.js';

export type CheckSeverity = 'ok' | 'warn' | 'block';

export interface CheckResult {
  /** Stable, `area.check`: `workloads.vm`. */
  readonly id: string;
  readonly severity: CheckSeverity;
  /** What was found, one line. */
  readonly text: string;
  /** What to do; empty when ok. */
  readonly remedy: string;
  /** What the verdict rests on, small JSON. */
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** One intended change. */
export interface PlannedChange {
  readonly phase: PhaseName;
  /** `+` new, `~` changed, `-` removed. */
  readonly sign: '+' | '~' | '-';
  readonly kind: 'package' | 'file' | 'module' | 'image' | 'service' | 'object' | 'cluster' | 'reboot' | 'disk';
  /** Path, package, module, `Kind namespace/name`, or a temporary cluster in words. */
  readonly what: string;
  /** Unified diff for files, else empty. */
  readonly diff: string;
}

export interface HostFactsSummary {
  readonly serial: string;
  readonly bmcAgrees: boolean | null;
  readonly os: string;
  readonly kernel: string;
  readonly uptimeSeconds: number;
}

/** What `--dry-run` shows. */
export interface PlanPreview {
  readonly server: string;
  readonly address: string;
  readonly cluster: string;
  readonly host: HostFactsSummary;
  readonly checks: readonly CheckResult[];
  readonly changes: readonly PlannedChange[];
  /** Devices that move to vfio-pci and the driver they leave; empty when they are isolated already. */
  readonly devices: readonly {
    readonly address: string;
    readonly driver: string | null;
    readonly iommuGroup: number | null;
  }[];
  /** Median of earlier boots in seconds; null when unknown. */
  readonly usualBootSeconds: number | null;
}
