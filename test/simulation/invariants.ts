/**
 * What must hold in every simulated run: S1, S3 to S5, S7, S8 and L1 of the design, and the rule that the default boot entry is one that has
 * already booted. S2 is Temporal's (the workflow id) and the host lock's; S6 has a test of its own (test/integration/secrets.test.ts).
 * @module
 */
import type { PlannedReboot } from '../../src/activities/planned-reboot.js';
import type { RebootInput } from '../../src/activities/reboot.js';
import { UNDO_ALLOWANCE, type RebootPlan } from '../../src/domain/boot/plan.js';
import type { RunStatus } from '../../src/domain/run/messages.js';
import type { Outcome } from '../../src/domain/run/outcomes.js';
import { PHASES, type PhaseName } from '../../src/domain/run/phases.js';
import { stepsOf } from '../../src/domain/run/steps.js';
import { FAULTS } from '../faults.js';
import { FOREIGN_KEY } from '../workflow/world.js';
import type { SimulatedHost, Work } from './host.js';
import type { People } from './people.js';
import type { Schedule } from './schedule.js';
import type { Closed } from './temporal.js';

/** Away for less than this, worker and server leave a trial boot time enough for its proof: the dead-man waits half an hour. */
const HARMLESS_AWAY_SECONDS = 600;

/** What compensation does, once it has raised the fence and waited. */
const isUndo = (name: string): boolean =>
  name.endsWith('.undo') || name === 'upgrade.remove' || (name.startsWith('restore.') && name !== 'restore.take-over');
/**
 * What an attempt that hung, and was given up, may still do when the run has ended: look, and give back or delete what is this run's by
 * its mark. Requests to a cluster know no fence.
 */
const mayBeLate = (name: string, host: SimulatedHost): boolean =>
  name === 'host.release' || (host.activity(name).kind === 'cluster' && /\.undo$|\.await-|\.remove-/.test(name));
/** Looks only, so that it may run beside anything. */
const isLook = (name: string): boolean =>
  /^(reboot\.(await|look)|bmc\.|preflight\.|isolation\.(read|verify))/.test(name);

const WANTED = {
  provision: 'provisioned',
  reboot: 'rebooted',
  'upgrade-kernel': 'upgraded',
} as const satisfies Record<Schedule['purpose'], Outcome>;

export class Invariants {
  readonly violations: string[] = [];
  /** Numbers of the reboots that the host was asked for. An answer that was lost is asked for again, of the same boot. */
  private readonly rebootsAsked: Readonly<Record<RebootInput['purpose'], Set<number>>> = {
    forward: new Set(),
    undo: new Set(),
  };
  private plan: RebootPlan | null = null;
  private changes = 0;
  private readonly before: string;
  private readonly kernelBefore: string | undefined;
  /** The new kernel was made the default while it ran and was confirmed: from then on it is one that has booted. */
  private kernelProven = false;

  constructor(
    private readonly schedule: Schedule,
    host: SimulatedHost,
    private readonly people: () => People,
    /** Attempts that the workflow has stopped to wait for. */
    private readonly leftRunning: () => readonly string[],
  ) {
    this.before = manifest(host);
    this.kernelBefore = host.kernels[0];
  }

  /** After an effect on the host. */
  effect(work: Work, host: SimulatedHost, closed: Closed | null): void {
    const { name } = work;
    if (name === 'isolation.read-plan') this.plan = work.value as RebootPlan;
    if (name === 'reboot.read-plan' || name === 'upgrade.read-plan') this.plan = (work.value as PlannedReboot).plan;
    if (name === 'reboot.request') this.rebooted(work, host);
    if (name === 'cozystack.create-pool') this.disksTaken(host);
    if (host.activity(name).kind !== 'read' && !isLook(name)) this.changed(work, host, closed);
    this.hold('S8', !host.healthyHostWasPushed, `${name} was used against a host that answers`);
    this.hold('S1', host.powerCycles <= UNDO_ALLOWANCE.powerCycles, `${host.powerCycles} power cycles`);
    const unproven = host.imagesRebuilt && host.defaultEntry() === 'default';
    this.hold('rule', !unproven, `after ${name} the default entry is an image that never booted`);
    this.kernelProven ||= name === 'commit.make-default' && host.runsNewKernel && host.confirmed;
    const newKernel = host.installing && host.defaultMade && !this.kernelProven;
    this.hold('rule', !newKernel, `after ${name} the default entry is a kernel that never booted`);
    const gone = [...host.foreign].filter((step) => !host.staged.has(step));
    this.hold('ledger', gone.length === 0, `${name} took away ${gone.join(', ')}, which was there before`);
  }

  private changed(work: Work, host: SimulatedHost, closed: Closed | null): void {
    const { name } = work;
    this.changes += 1;
    this.hold('S3', closed === null || mayBeLate(name, host), `${name} acted after the run had ended`);
    this.hold('S7', !work.withForeignKey, `${name} acted on a host with another key`);
    const { run } = work.input;
    // A unit began before, and is waited for.
    const late = host.activity(name).kind !== 'unit' && host.fence?.id === run.id && run.epoch < host.fence.epoch;
    this.hold('S4', !late, `${name} of epoch ${run.epoch} acted in epoch ${host.fence?.epoch ?? 0}`);
    if (!isUndo(name)) return;
    const isEnding = (other: string): boolean => other === 'host.release' && mayBeLate(name, host);
    const others = host
      .work()
      .filter((other) => other !== work && !isUndo(other.name) && !isLook(other.name) && !isEnding(other.name));
    this.hold('S4', others.length === 0, `${name} acted while ${others.map((o) => o.name).join(', ')} was at work`);
    const left = this.leftRunning().filter((other) => other !== 'bmc.console');
    this.hold('S4', left.length === 0, `${name} acted while ${left.join(', ')} had not ended`);
  }

  private rebooted(work: Work, host: SimulatedHost): void {
    const { purpose, number } = work.input as RebootInput;
    if (!(work.value as { asked: boolean }).asked) return;
    const { size } = this.rebootsAsked[purpose].add(number);
    if (purpose === 'undo') return this.hold('S1', size <= UNDO_ALLOWANCE.reboots, `${size} undo reboots`);
    const { plan } = this;
    this.hold(
      'S1',
      plan !== null && this.people().approved.has(plan.digest),
      `digest ${plan?.digest} was not approved`,
    );
    this.hold('S1', plan?.bootId === host.endedBoot, `boot ${host.endedBoot} was ended, approved was ${plan?.bootId}`);
    this.hold('S1', size === 1, `${size} forward reboots`);
  }

  private disksTaken(host: SimulatedHost): void {
    if (host.disks.length === 0) return;
    const digest = host.approvals.at(-1) ?? '';
    this.hold('S1', this.people().approved.has(digest), `disks were taken with digest "${digest}"`);
    host.disks = [];
  }

  /** When a question was opened. */
  asked({ failure, question }: RunStatus): void {
    if (failure?.type === 'HostKeyChanged')
      this.hold('S7', `${failure.message} ${question?.text}`.includes(FOREIGN_KEY), 'the fingerprints are not told');
  }

  /** When the run has ended, and what was still under way on the host too. */
  ended(status: RunStatus, closed: Closed, host: SimulatedHost): void {
    const { outcome } = status;
    this.hold('S3', outcome !== null && outcome !== 'needs-hands', `a run that ended is ${outcome}`);
    const { purpose } = this.schedule;
    const wanted = WANTED[purpose];
    const isOfProvisioned = purpose !== 'provision';
    this.hold('S3', (closed === 'completed') === (outcome === wanted), `${closed}, but ${outcome}`);
    const told = status.findings.some(({ area }) => area === 'remains');
    this.hold('S3', told || host.fence?.id !== status.runId, 'the host lock remains, and nobody is told');
    if (outcome === 'refused') this.hold('S3', this.changes === 0, `refused after ${this.changes} changes`);
    if (outcome === 'provisioned') this.provisioned(host);
    if (outcome === 'restored' || outcome === 'rejected' || outcome === 'expired')
      this.restored(host, told && isOfProvisioned);
    if (outcome === 'rejected' || outcome === 'expired')
      this.hold('S3', this.reboots(host) === 0, `${outcome} after ${this.reboots(host)} reboots`);
    if (outcome === 'incomplete' && isOfProvisioned) this.rebootGivenUp(host, told);
    else if (outcome === 'incomplete') this.incomplete(host, status, told);
    if (outcome === 'rebooted' || outcome === 'upgraded') this.rebootDone(host);
    const upgraded = host.kernels[0] !== this.kernelBefore;
    this.hold('S3', upgraded === (outcome === 'upgraded'), `${outcome} with kernel ${host.kernels[0]}`);
    this.hold('S3', !host.installing, `${outcome} with a kernel that was never proven`);
    const reboots = this.schedule.found === 'isolated' && purpose === 'provision' ? 0 : 1;
    if (this.isHarmless() && !host.deadManFired)
      this.hold('S5', outcome === wanted && this.reboots(host) === reboots, `${outcome} by faults that do no harm`);
  }

  private provisioned(host: SimulatedHost): void {
    const { acceptance } = this.schedule;
    const missing = this.phases().flatMap((phase) =>
      stepsOf(phase, acceptance).filter(({ name }) => phase !== 'preflight' && !host.staged.has(name)),
    );
    this.hold('S3', missing.length === 0, `provisioned without ${missing.map(({ name }) => name).join(', ')}`);
    this.hold('S3', host.committed && host.defaultMade && !host.armed, 'provisioned and not committed');
    this.hold('S3', !host.cordoned, 'provisioned and cordoned');
  }

  private rebootDone(host: SimulatedHost): void {
    this.hold('S3', manifest(host) === this.before, `rebooted is ${manifest(host)}, before was ${this.before}`);
    this.hold('S3', host.entry === 'trial' || host.entry === 'generated', `rebooted and in ${host.entry}`);
  }

  /** As before; or what is left, a cordon or known-good as the default, is told. */
  private rebootGivenUp(host: SimulatedHost, told: boolean): void {
    this.hold('S3', !host.token, 'given up in a trial');
    if (manifest(host) === this.before) return;
    this.hold('S3', told && !host.armed, `given up with ${manifest(host)}`);
  }

  private restored(host: SimulatedHost, cordonIsTold: boolean): void {
    const now = cordonIsTold ? manifest(host).replace('"cordoned":true', '"cordoned":false') : manifest(host);
    this.hold('S3', now === this.before, `restored is ${manifest(host)}, before was ${this.before}`);
    const isolated = host.entry === 'trial' || host.entry === 'generated';
    this.hold('S3', isolated === (this.schedule.purpose !== 'provision'), `restored and in ${host.entry}`);
  }

  /** The phase that failed takes back what its table says; isolation is all or nothing. */
  private incomplete(host: SimulatedHost, { failure, phases }: RunStatus, told: boolean): void {
    // What a lost run left is found again by the next one; what preparation made the default stays with it.
    const isolationBegan = phases.some(({ name, steps }) => name === 'gpu-isolation' && steps.length > 0);
    if (!host.committed && host.abandonedRun === null && isolationBegan)
      this.hold('S3', manifest(host) === this.before, `incomplete with ${manifest(host)}`);
    const phase = phases.find(({ state, name }) => state === 'failed' && name === failure?.phase)?.name;
    if (phase === undefined || told) return;
    const left = stepsOf(phase).filter(({ name, undo }) => undo && host.staged.has(name) && !host.foreign.has(name));
    this.hold('S3', left.length === 0, `${phase} left ${left.map(({ name }) => name).join(', ')}`);
  }

  private reboots(host: SimulatedHost): number {
    return host.reboots + host.powerCycles;
  }

  private phases(): readonly PhaseName[] {
    return PHASES.filter(({ number }) => number <= (this.schedule.phases === 'isolation' ? 4 : 8)).map((p) => p.name);
  }

  private isHarmless(): boolean {
    const { faults, behaviours, gates, found } = this.schedule;
    return (
      (found === 'isolated' || (found === 'fresh' && this.schedule.purpose === 'provision')) &&
      behaviours.every((behaviour) => behaviour === 'boots') &&
      gates.every(({ how }) => how !== 'reject' && how !== 'never' && how !== 'cancel') &&
      gates.every(({ afterSeconds }) => afterSeconds < 86_400) &&
      faults.every(({ kind, awaySeconds }) => FAULTS[kind].harmless && awaySeconds < HARMLESS_AWAY_SECONDS)
    );
  }

  hold(invariant: string, holds: boolean, otherwise: string): void {
    if (!holds) this.violations.push(`${invariant}: ${otherwise}`);
  }
}

/** What "as before" means: all that isolation changes, and what the next boot enters. */
function manifest(host: SimulatedHost): string {
  return JSON.stringify({
    default: host.defaultEntry(),
    imagesRebuilt: host.imagesRebuilt,
    armed: host.armed,
    ordinaryOnce: host.ordinaryOnce,
    cordoned: host.cordoned,
    committed: host.committed,
    staged: [...host.isolationSteps()].toSorted(),
  });
}
