/**
 * Reads everything preflight judges. Read-only; safe on a host that another run holds.
 * @module
 */
import { parseK3sVersion, type FoundK3s } from '../../domain/cluster/k3s.js';
import { K3S_BINARY_PATH, K3S_CONFIG_PATH, K3S_UNIT_PATH } from '../../domain/cluster/k3s-layout.js';
import { GRUB_CFG, HOOK_PATH, KNOWN_GOOD_DIR, LAUNCHER_PATH } from '../../domain/host-layout.js';
import type { BmcFacts, HostFacts, LedgerFacts, Told } from '../../domain/preflight/facts.js';
import { bootFacts, identityFacts, initramfsFacts, systemFacts } from '../../domain/preflight/parse-facts.js';
import { PHASE_NAMES } from '../../domain/run/phases.js';
import { ProvisionError } from '../../ports/failure.js';
import { clusterConflicts } from '../cluster/conflicts.js';
import type { StepContext } from '../define-step.js';
import { readDisks, readPool } from '../storage.js';
import { parseK3sConfig } from '../k3s.js';
import { readWorkloads } from '../workloads.js';
import { readDevices, readFailedUnits, readStuckProcesses } from './devices.js';
import { BOOT_FACTS, IDENTITY_FACTS, INITRAMFS_FACTS, SYSTEM_FACTS } from './facts-scripts.js';
import { readLedgerState, readNote } from './ledger.js';
import { readReach } from './reach.js';

/** In the ledger: the server's name, so that one host under two names is noticed. */
export const NOTE_SERVER = 'server';

/** Holds what a k3s server must not lose. */
const K3S_STATE_DIR = '/var/lib/rancher/k3s/server';

export async function readHostFacts(ctx: StepContext): Promise<HostFacts> {
  const { host } = ctx;
  const k3s = await foundK3s(ctx);
  return {
    runId: ctx.run.id,
    phases: ctx.phases ?? PHASE_NAMES,
    identity: identityFacts(await host.facts(IDENTITY_FACTS)),
    boot: bootFacts(await host.facts(BOOT_FACTS, [KNOWN_GOOD_DIR]), await host.readFile(GRUB_CFG)),
    initramfs: initramfsFacts(await host.facts(INITRAMFS_FACTS, [HOOK_PATH, LAUNCHER_PATH])),
    system: systemFacts(await host.facts(SYSTEM_FACTS)),
    devices: await readDevices(ctx),
    bmc: await bmcFacts(ctx),
    failedUnits: await readFailedUnits(ctx),
    stuckProcesses: await readStuckProcesses(ctx),
    // No API, or no program that could tell: that is a finding, not a failure of preflight.
    workloads: await told(['ClusterUnreachable', 'CommandFailed'], () => readWorkloads(ctx)),
    k3s,
    reach: await readReach(ctx, k3s.known && k3s.value.version !== null),
    clusterConflicts: await told(['ClusterUnreachable'], () => clusterConflicts(ctx)),
    storage: {
      pool: await told(['ClusterUnreachable', 'NotReadyYet', 'OutputUnexpected'], () => readPool(ctx)),
      disks: await readDisks(ctx),
    },
    ledger: await ledgerFacts(ctx),
  };
}

async function bmcFacts(ctx: StepContext): Promise<BmcFacts> {
  if (ctx.bmc === null) return { kind: 'none', problem: null, power: 'unknown', serial: null };
  const { bmc, signal } = ctx;
  const answer = await told(['BmcUnavailable'], async () => ({
    power: await bmc.powerState(signal),
    serial: (await bmc.identity(signal)).serial,
  }));
  if (!answer.known) return { kind: bmc.kind, problem: answer.problem, power: 'unknown', serial: null };
  return { kind: bmc.kind, problem: null, ...answer.value };
}

async function foundK3s({ host }: StepContext): Promise<Told<FoundK3s>> {
  const version = await host.exec([K3S_BINARY_PATH, '--version']);
  const config = await host.readFile(K3S_CONFIG_PATH);
  const found = {
    version: version.exitCode === 0 ? (parseK3sVersion(version.stdout) ?? 'of an unknown version') : null,
    unit: await host.readFile(K3S_UNIT_PATH),
    hasState: await host.exists(K3S_STATE_DIR),
  };
  return told(['OutputUnexpected'], async () => ({
    ...found,
    config: config === null ? null : parseK3sConfig(config),
  }));
}

async function ledgerFacts(ctx: StepContext): Promise<LedgerFacts> {
  const holder = await ctx.host.holder();
  const state = await told(['OutputUnexpected'], () => readLedgerState(ctx.host));
  const server = (await readNote(ctx.host, NOTE_SERVER))?.[0] ?? null;
  if (!state.known) return { holder, state: 'none', server, at: null, problem: state.problem };
  return {
    holder,
    state: state.value?.state ?? 'none',
    server,
    at: state.value?.at ?? null,
    problem: null,
  };
}

/** The value, or why there is none, for failures of these types only. */
async function told<T>(types: readonly ProvisionError['type'][], read: () => Promise<T>): Promise<Told<T>> {
  try {
    return { known: true, value: await read() };
  } catch (error) {
    if (error instanceof ProvisionError && types.includes(error.type)) return { known: false, problem: error.message };
    throw error;
  }
}
