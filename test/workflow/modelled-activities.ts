/**
 * What each activity finds and does on the modelled server. The table is checked against the real activities' names, and every step
 * of the step tables is in it without being named.
 * @module
 */
import { ApplicationFailure } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { CommitInput } from '../../src/activities/commit.js';
import type { StepInput } from '../../src/activities/define-step.js';
import type { AllActivities, StepActivities } from '../../src/activities/index.js';
import type { RebootInput } from '../../src/activities/reboot.js';
import type { RestoredInput } from '../../src/activities/restore.js';
import type { VerifyActivities } from '../../src/activities/verify.js';
import type { AnnounceInput, AuditInput } from '../../src/domain/run/announcement.js';
import { FAILURES, type FailureType } from '../../src/domain/run/failures.js';
import { PHASE_NAMES } from '../../src/domain/run/phases.js';
import { stepsOf, type Step, type StepResult } from '../../src/domain/run/steps.js';
import { GPU_ADDRESSES } from '../support/server-spec.js';
import type { World } from './world.js';

/**
 * What an activity needs: a read the host's answer, a change the host's lock and fence too, a unit that its command is let run by
 * systemd, a cluster its API; a probe copes with silence.
 */
export type ActivityKind = 'read' | 'change' | 'unit' | 'cluster' | 'probe';

export interface Modelled {
  readonly kind: ActivityKind;
  /** Its effect and its answer, at once. Throws ApplicationFailure. */
  readonly body: (input: RebootInput & RestoredInput & CommitInput & AnnounceInput & AuditInput) => unknown;
}

const KIND_OF_POLICY: Readonly<Record<Step['policy'], ActivityKind>> = {
  read: 'read',
  change: 'change',
  'long-change': 'unit',
  'cluster-change': 'cluster',
  'cluster-wait': 'cluster',
};

export const ALL_STEPS: readonly Step[] = PHASE_NAMES.flatMap((phase) => stepsOf(phase));

const ISOLATION = new Set(
  stepsOf('gpu-isolation')
    .filter((step) => step.undo)
    .map((step) => step.name),
);

export function modelledActivities(world: World): Readonly<Record<string, Modelled>> {
  return { ...stepActivities(world), ...ownActivities(world) };
}

function stepActivities(world: World): Record<string, Modelled> {
  const activities: Record<string, Modelled> = {};
  for (const step of ALL_STEPS) {
    const { name } = step;
    const kind = KIND_OF_POLICY[step.policy];
    activities[name] = { kind, body: (input) => take(world, name, input) };
    activities[`${name}.verify`] = {
      kind: 'read',
      body: () => {
        if (!world.staged.has(name)) throw failure('StepNotVerified', `${name} is not in place`);
        return { changed: false, summary: 'in place' };
      },
    };
    activities[`${name}.undo`] = {
      kind: kind === 'cluster' ? 'cluster' : 'change',
      body: () => undo(world, name),
    };
  }
  return activities;
}

function take(world: World, name: string, input: StepInput): StepResult {
  if (name === 'preflight.check') return { changed: false, summary: '38 checks, 2 warnings', facts: FACTS };
  if (name === 'preparation.claim-host') world.claim(input.run);
  if (name === 'cozystack.create-pool') takeDisks(world, input);
  // Packages do it by their triggers.
  if (name === 'preparation.install-packages' || name === 'isolation.build-images') world.imagesRebuilt = true;
  if (name === 'isolation.publish-known-good-default') world.defaultMade = false;
  // An order that an interrupted arm left must not find the new menu.
  if (name === 'isolation.publish-trial-entry') world.armed = false;
  const changed = !world.staged.has(name);
  world.staged.add(name);
  return { changed, summary: name };
}

function takeDisks(world: World, input: StepInput): void {
  world.approvals.push(input.approved);
  const { disks, digest } = world.diskPlan();
  if (disks.length > 0 && input.approved !== digest) throw failure('Drifted', `the disks are ${digest} now`);
}

/** What the ledger does not name as the run's own stays. */
function undo(world: World, name: string): StepResult {
  if (world.guards.ledger && world.foreign.has(name)) return { changed: false, summary: 'was there before this run' };
  world.staged.delete(name);
  if (name === 'isolation.check-saved-images') {
    world.imagesRebuilt = false;
    world.staged.delete('isolation.build-images');
  }
  if (name === 'isolation.publish-trial-entry') world.armed = false;
  if (name === 'isolation.publish-known-good-default') {
    world.ordinaryOnce = false;
    world.staged.delete('preparation.publish-known-good-default');
  }
  return { changed: true, summary: 'undone' };
}

function ownActivities(
  world: World,
): Record<Exclude<keyof AllActivities, keyof StepActivities | keyof VerifyActivities | 'plan.preview'>, Modelled> {
  return {
    'reboot.arm': { kind: 'change', body: () => void (world.armed = true) },
    'reboot.disarm': { kind: 'change', body: () => void (world.armed = false) },
    'reboot.request': {
      kind: 'change',
      body: (input) => {
        if (world.guards.bootId && input.oldBootId !== world.bootId) return { asked: false };
        world.restart();
        return { asked: true };
      },
    },
    'reboot.await-left': {
      kind: 'probe',
      body: (input) => {
        if (world.runs(input.oldBootId)) throw notYet();
        return { leftAt: world.time() };
      },
    },
    'reboot.await-return': {
      kind: 'probe',
      body: (input) => {
        const seen = world.look(input);
        if (seen.kind === 'host-key-changed' || (seen.bootId !== null && seen.bootId !== input.oldBootId)) return seen;
        throw notYet();
      },
    },
    'reboot.look': { kind: 'probe', body: (input) => world.look(input) },
    // The real one reads for as long as the reboot takes, which the server's time would wait for.
    'bmc.console': { kind: 'probe', body: () => ({ lastLine: world.consoleSays, problem: null }) },
    'bmc.look': { kind: 'probe', body: () => ({ kind: 'ipmi', power: world.power, eventLog: [] }) },
    'bmc.graceful-restart': {
      kind: 'probe',
      body: () => {
        if (world.answers()) return { done: false, evidence: 'answers' };
        world.gracefulRestart();
        return { done: true, evidence: 'accepted' };
      },
    },
    'bmc.power-cycle': {
      kind: 'probe',
      body: () => {
        if (world.answers()) return { done: false, evidence: 'answers' };
        world.powerCycle();
        return { done: true, evidence: 'power was on, is on' };
      },
    },
    'bmc.power-on': {
      kind: 'probe',
      body: () => {
        if (world.power === 'off') world.powerOn();
        return world.power;
      },
    },
    'isolation.read-state': {
      kind: 'read',
      body: () => ({
        isolated: world.committed,
        why: world.committed ? 'all devices hold' : 'not committed by any run',
        bootId: world.bootId,
        abandoned: world.abandonedRun,
        inAbandonedTrial: world.abandonedRun !== null && world.entry === 'trial',
        k3sRuns: world.k3sWasThere || world.staged.has('k3s.start'),
      }),
    },
    'storage.read-plan': { kind: 'read', body: () => world.diskPlan() },
    'isolation.read-plan': { kind: 'read', body: (input) => world.plan(input) },
    'isolation.verify-devices': {
      kind: 'read',
      body: () => {
        if (world.entry !== 'trial' && world.entry !== 'generated')
          throw failure('IsolationNotVerified', 'the GPUs are on nvidia');
        return { rows: GPU_ADDRESSES.map((address) => ({ address, cells: [], ok: true })), ok: true, problems: [] };
      },
    },
    'workloads.cordon': {
      kind: 'change',
      body: () => {
        world.cordoned = true;
        return world.time();
      },
    },
    'workloads.uncordon': { kind: 'change', body: () => void (world.cordoned = false) },
    // Its fence is the one that it raises.
    'restore.take-over': { kind: 'probe', body: (input) => world.takeOver(input.run) },
    'restore.publish-ordinary-once': {
      kind: 'change',
      body: () => {
        world.armed = false;
        world.ordinaryOnce = true;
        return 'published';
      },
    },
    'restore.disarm': {
      kind: 'change',
      body: () => {
        const tried = !world.armed;
        world.armed = false;
        return { tried, reason: tried ? 'it did not come up' : 'it was not tried' };
      },
    },
    'restore.verify': {
      kind: 'read',
      body: (input) => {
        const stays = input.customCfgStays === true ? ['publish-known-good-default', 'hold-kernel'] : [];
        const left = world
          .isolationSteps()
          .filter((name) => !world.foreign.has(name) && !stays.some((step) => name === `isolation.${step}`));
        if (left.length > 0) throw failure('RestoreNotVerified', `still there: ${left.join(', ')}`);
        if (input.customCfgStays !== true && world.defaultEntry() === 'known-good')
          throw failure('RestoreNotVerified', 'custom.cfg is not as before');
        if (world.armed) throw failure('RestoreNotVerified', 'a trial is still armed in grubenv');
        if (world.entry === 'trial' || world.entry === 'generated' || (input.rebooted && world.entry !== 'default'))
          throw failure('RestoreNotVerified', `the host runs ${world.entry}`);
        return { files: 7, images: 2, drivers: {}, lines: [{ area: 'now', text: 'as before' }] };
      },
    },
    'restore.close-ledger': { kind: 'change', body: () => void (world.abandonedRun = null) },
    'host.release': { kind: 'change', body: (input) => world.release(input.run) },
    'commit.confirm-boot': {
      kind: 'change',
      body: (input) => {
        if (input.bootId !== world.bootId) throw failure('CommandFailed', `boot ${world.bootId} runs`);
        world.confirmed = true;
        return 'confirmed';
      },
    },
    'commit.check-default': {
      kind: 'read',
      body: (input) => {
        if (input.bootId !== world.bootId) throw failure('Drifted', `boot ${world.bootId} runs`);
        return 'as proven';
      },
    },
    'commit.make-default': {
      kind: 'change',
      body: (input) => {
        if (input.bootId !== world.bootId && !world.defaultMade) throw failure('Drifted', `boot ${world.bootId} runs`);
        world.armed = false;
        world.defaultMade = true;
        return 'made';
      },
    },
    'commit.close': {
      kind: 'change',
      body: () => {
        world.committed = true;
        return 'committed';
      },
    },
    'commit.close-reboot': {
      kind: 'change',
      body: (input) => {
        if (input.bootId !== world.bootId && world.entry === 'known-good')
          throw failure('Drifted', `boot ${world.bootId} runs known-good`);
        return 'closed';
      },
    },
    'reboot.read-plan': {
      kind: 'read',
      body: (input) => {
        if (world.vms.length > 0) throw failure('Blocked', `VMs run here: ${world.vms.join(', ')}`);
        if (!world.committed) throw failure('Blocked', 'ledger: no run has committed anything here');
        if (world.installing) throw failure('Blocked', 'kernel.unfinished: an upgrade ended before it was proven');
        const plan = { ...world.plan(input), boots: 'proven', imagesRebuilt: 0 };
        return { plan, baseline: FACTS.baseline, k3sRuns: world.k3sWasThere };
      },
    },
    'commit.close-upgrade': {
      kind: 'change',
      body: (input) => {
        if (input.bootId !== world.bootId && world.entry === 'known-good')
          throw failure('Drifted', `boot ${world.bootId} runs known-good`);
        if (world.installing) world.kernels.shift();
        world.installing = false;
        return 'closed';
      },
    },
    'upgrade.look': {
      kind: 'read',
      body: () => {
        if (world.vms.length > 0) throw failure('Blocked', `VMs run here: ${world.vms.join(', ')}`);
        if (!world.committed) throw failure('Blocked', 'ledger: no run has committed anything here');
        return world.installing ? 'run-0' : null;
      },
    },
    'upgrade.settle-lost': { kind: 'change', body: () => world.removeKernel() },
    'upgrade.update-lists': { kind: 'unit', body: () => undefined },
    'upgrade.read-plan': {
      kind: 'read',
      body: (input) => {
        const [from = '', to] = world.kernels;
        if (to === undefined) throw failure('Blocked', `nothing to upgrade: no kernel is newer than ${from}`);
        if (world.entry === 'known-good') throw failure('Blocked', 'boot.entry: the host runs the known-good entry');
        const packages = [{ name: `linux-image-${to}`, version: '6.8.0-62.65' }];
        const plan = { ...world.plan(input), boots: 'kernel', upgrade: { from, to, packages } };
        return { plan, baseline: FACTS.baseline, k3sRuns: world.k3sWasThere };
      },
    },
    'upgrade.install': {
      kind: 'unit',
      body: () => {
        world.installing = true;
        return 'installed';
      },
    },
    'upgrade.inspect': {
      kind: 'change',
      body: () => {
        if (!world.installing) throw failure('StepNotVerified', 'no kernel is installed');
        return 'as wanted';
      },
    },
    'upgrade.check-kernel': {
      kind: 'read',
      body: () => {
        if (!world.runsNewKernel) throw failure('BootFailed', `kernel ${world.kernels[0]} runs`);
        return 'runs';
      },
    },
    'upgrade.remove': { kind: 'change', body: () => world.removeKernel() },
    'decommission.read-plan': {
      kind: 'read',
      body: () => {
        if (world.vms.length > 0) throw failure('Blocked', `VMs run here: ${world.vms.join(', ')}`);
        if (!world.committed) throw failure('Blocked', 'no run has committed anything on this host');
        return { plan: world.decommissionPlan(), baseline: FACTS.baseline };
      },
    },
    'decommission.withdraw-gpus': {
      kind: 'change',
      body: () => {
        world.staged.delete('kubevirt.permit-gpus');
        return 'withdrawn';
      },
    },
    'decommission.begin': {
      kind: 'change',
      body: () => {
        world.committed = false;
        world.defaultMade = false;
        return 'begun';
      },
    },
    announce: {
      kind: 'probe',
      body: ({ announcement }) => {
        world.announcements.push(announcement);
        return { refused: [] };
      },
    },
    'audit.append': {
      kind: 'probe',
      body: ({ entries }) => {
        world.auditLines.push(...entries);
      },
    },
  };
}

/** Undoable steps of phase 4 whose effect is on the host. */
export const isUndoneByIsolation = (name: string): boolean => ISOLATION.has(name);

export function failure(type: FailureType, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: !FAILURES[type].retryable });
}

/** As the real probes do: one attempt stands for half a minute, which the server skips. */
function notYet(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'NotBackYet',
    message: 'no answer yet',
    nextRetryDelay: '30s',
    category: ApplicationFailureCategory.BENIGN,
  });
}

const FACTS = {
  checks: [],
  baseline: {
    linkWidths: {},
    failedUnits: [],
    nativeDrivers: Object.fromEntries(GPU_ADDRESSES.map((a) => [a, 'nvidia'])),
  },
  earlierBootSeconds: [840, 900],
};
