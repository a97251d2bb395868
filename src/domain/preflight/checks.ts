/**
 * Every check of preflight, in the order people read them.
 * @module
 */
import type { TruthBaseline } from '../gpu/truth-table.js';
import { VFIO_DRIVER } from '../gpu/pci.js';
import type { CheckResult, HostFactsSummary } from '../preflight.js';
import type { ServerSpec } from '../spec.js';
import { runChecks, type Check } from './check.js';
import { BOOT_CHAIN_CHECKS } from './checks/boot-chain.js';
import { DEVICE_CHECKS } from './checks/devices.js';
import { IDENTITY_CHECKS } from './checks/identity.js';
import { KERNEL_CHECKS } from './checks/kernel.js';
import { NETWORK_CHECKS } from './checks/network.js';
import { STORAGE_CHECKS } from './checks/storage.js';
import { SYSTEM_CHECKS } from './checks/system.js';
import { WORKLOAD_CHECKS } from './checks/workloads.js';
import type { HostFacts } from './facts.js';

export const CHECKS: readonly Check[] = [
  ...IDENTITY_CHECKS,
  ...KERNEL_CHECKS,
  ...BOOT_CHAIN_CHECKS,
  ...DEVICE_CHECKS,
  ...SYSTEM_CHECKS,
  ...WORKLOAD_CHECKS,
  ...STORAGE_CHECKS,
  ...NETWORK_CHECKS,
];

/** What preflight reports. Small: it travels through the history of the workflow. */
export interface PreflightReport {
  readonly checks: readonly CheckResult[];
  readonly blocks: number;
  readonly warns: number;
  /** A run has committed, and all GPUs are on vfio-pci. Whether that holds is for the truth table to say. */
  readonly isolated: boolean;
  readonly host: HostFactsSummary;
  readonly baseline: TruthBaseline;
  /** Seconds, newest first. */
  readonly earlierBootSeconds: readonly number[];
}

/** What a host says about itself may be anything. */
const NAME_LIMIT = 100;
const UNIT_LIMIT = 100;
const shown = (text: string | null): string => (text ?? 'unknown').slice(0, NAME_LIMIT);

export function judge(facts: HostFacts, spec: ServerSpec): PreflightReport {
  const gpus = facts.devices.filter((device) => spec.gpus.addresses.includes(device.address));
  const isolated =
    facts.ledger.state === 'committed' &&
    gpus.length === spec.gpus.addresses.length &&
    gpus.every((gpu) => gpu.driver === VFIO_DRIVER);
  const checks = runChecks(CHECKS, facts, spec, isolated);
  return {
    checks,
    blocks: checks.filter((check) => check.severity === 'block').length,
    warns: checks.filter((check) => check.severity === 'warn').length,
    isolated,
    host: {
      serial: shown(facts.identity.serial),
      bmcAgrees: facts.bmc.serial === null ? null : facts.bmc.serial === facts.identity.serial,
      os: shown(facts.identity.osName),
      kernel: shown(facts.identity.kernel),
      uptimeSeconds: Math.floor(facts.identity.uptimeSeconds ?? 0),
    },
    baseline: {
      linkWidths: Object.fromEntries(gpus.map((gpu) => [gpu.address, gpu.linkWidth])),
      nativeDrivers: Object.fromEntries(gpus.map((gpu) => [gpu.address, gpu.driver])),
      failedUnits: facts.failedUnits.slice(0, UNIT_LIMIT),
    },
    earlierBootSeconds: facts.system.earlierBootSeconds,
  };
}
