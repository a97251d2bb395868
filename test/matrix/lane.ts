/**
 * A lane of the matrix: one fault at every step of one phase, on a host that begins as the phase does. A fault that heals strikes at all
 * steps of one run; for the others a run follows the other, each from where the one before ended, and at last one without a fault.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { inject } from 'vitest';
import type { RunStatus } from '../../src/domain/run/messages.js';
import type { Outcome } from '../../src/domain/run/outcomes.js';
import { PHASE_NAMES, type Phase, type PhaseName } from '../../src/domain/run/phases.js';
import { stepsOf, type Step } from '../../src/domain/run/steps.js';
import { Site } from '../integration/rig.js';
import { MortalTemporal } from '../support/mortal-temporal.js';
import type { ProvisionRun } from '../support/provision-run.js';
import { answer, attend } from './attend.js';
import { stepsHit, type Cell } from './cell.js';
import { clusterManifest, decidesBoot, differences, hostManifest, type Manifest } from './claims.js';
import type { Fault, Surroundings } from './fault.js';
import { endOf, hasCheck, LAST_STEP_FAILS } from './faults.js';
import { FaultyActivities } from './faulty-activities.js';
import { optionsOf, type HostsBefore } from './hosts-before.js';
import { HEARTBEAT_MEMO } from './short-times.js';
import { MortalWorkers } from './mortal-workers.js';

/** A busy machine may keep a step that is alive from saying so for seconds. */
const HEARTBEAT_MS = 10_000;
const UP_LIMIT_MS = 60_000;
/** Of objects that are being deleted when the run has ended. */
const GONE_LIMIT_MS = 120_000;
const LOOK_EVERY_MS = 250;
/** Phases whose hosts have a cluster with Cozystack on it. */
const IN_CLUSTER: readonly PhaseName[] = ['kubevirt', 'nested-cluster', 'acceptance'];

/** Plays the lane; a cell for each step that the fault can strike at. `afterwards`: with the runs after it that show what it left. */
export async function playLane(
  phase: Phase,
  fault: Fault,
  hosts: HostsBefore,
  { afterwards = true } = {},
): Promise<readonly Cell[]> {
  const image = await hosts.get(phase.name);
  const faulty = new FaultyActivities();
  const own = fault.kills === 'temporal' ? await MortalTemporal.start() : null;
  const steps = stepsHit(phase, fault);
  let workers: MortalWorkers | null = null;
  try {
    const site = await Site.start({
      ...optionsOf(image),
      wrap: (activities) => faulty.wrap(activities),
      ...(fault.silent === true ? { memo: { [HEARTBEAT_MEMO]: HEARTBEAT_MS } } : {}),
      ...(own === null ? {} : { temporal: own.address }),
      ...(fault.kills === 'worker'
        ? {
            serve: async (address, name) => {
              const names = steps.map((step) => step.name);
              const started = await MortalWorkers.start(address, name, inject('workflowBundle'), names);
              workers = started;
              return () => started.stop();
            },
          }
        : {}),
    });
    const lane = new Lane(phase, fault, site, faulty, own, workers, await hosts.freshBoot(), afterwards);
    try {
      return fault.shape === 'lasts' || fault.shape === 'cancels' ? await lane.runForEach() : await lane.oneRun();
    } finally {
      faulty.disarm();
      await site.close();
    }
  } finally {
    await own?.stop();
  }
}

/** What faults may touch while this run is under way. */
export function surroundingsOf(site: Site, run: ProvisionRun, temporal: MortalTemporal | null): Surroundings {
  return {
    rack: site.rack,
    host: site.host,
    manifest: () => hostManifest(site),
    cancelRun: async () => void (await run.handle.cancel()),
    restartTemporal: async () => {
      if (temporal === null) throw new Error('this lane has no Temporal server of its own');
      await temporal.kill();
      await temporal.startAgain();
    },
  };
}

class Lane {
  private readonly steps: readonly Step[];
  private readonly ends: Outcome;

  constructor(
    private readonly phase: Phase,
    private readonly fault: Fault,
    private readonly site: Site,
    private readonly faulty: FaultyActivities,
    private readonly temporal: MortalTemporal | null,
    private readonly workers: MortalWorkers | null,
    private readonly freshBoot: Manifest,
    private readonly afterwards: boolean,
  ) {
    this.steps = stepsHit(phase, fault);
    this.ends = endOf(fault, phase);
  }

  /** The fault at every step, once each. */
  async oneRun(): Promise<readonly Cell[]> {
    const { steps, fault, faulty, phase } = this;
    const undoes = fault.shape === 'undoes';
    const last = stepsOf(phase.name).at(-1);
    const struck = (step: Step): string => (undoes ? `${step.name}.undo` : step.name);
    if (undoes && last !== undefined) faulty.arm(last.name, LAST_STEP_FAILS);
    for (const step of steps) faulty.arm(struck(step), fault);
    const before = await this.manifest();
    const status = await this.tried(true);
    faulty.disarm();
    if (typeof status === 'string') return steps.map((step) => this.cell(step, status, []));
    // Killed with their worker, or while a person is asked: what strikes there is no activity.
    for (const { name } of steps)
      if (fault.shape === 'asked' || this.workers?.wasKilledAt(name) === true) faulty.found.set(name, '');
    const claims = this.ends === 'provisioned' ? [] : await this.asBefore(before);
    if (this.afterwards) claims.push(...(await this.later()));
    return steps.map((step) => this.cell(step, status, [...this.found(struck(step)), ...claims]));
  }

  /** The fault at one step after the other, and last nothing: what a failed run leaves stops no later one. */
  async runForEach(): Promise<readonly Cell[]> {
    const cells: Cell[] = [];
    for (const step of this.steps) {
      this.faulty.arm(step.name, this.fault);
      const before = await this.manifest();
      const status = await this.tried();
      this.faulty.disarm();
      if (typeof status === 'string')
        return this.steps.map(
          (s) => cells.find((c) => c.step === s.name) ?? this.cell(s, `at ${step.name}: ${status}`, []),
        );
      const claims = await this.asBefore(before);
      cells.push(this.cell(step, status, [...this.found(step.name), ...claims]));
    }
    const claims = this.afterwards ? await this.later() : [];
    return cells.map((cell) => ({ ...cell, problems: [...cell.problems, ...claims] }));
  }

  /** What a failed run left stops no later one, and what that makes stays. */
  private async later(): Promise<readonly string[]> {
    if (this.ends !== 'provisioned') {
      const status = await this.tried();
      if (typeof status === 'string') return [`a run afterwards: ${status}`];
      if (status.outcome !== 'provisioned') return [`a run afterwards: ${says(status)}`];
    }
    return this.stays();
  }

  private async run(struck = false): Promise<RunStatus> {
    // Undoing isolation takes back what preparation made the default, so that phase belongs to each of its runs.
    const { name, needs, afterFailure } = this.phase;
    const { spec } = this.site;
    const asked = struck && this.fault.shape === 'asked';
    const run = await this.site.begin(
      afterFailure === 'undone' ? [...needs, name] : [name],
      asked ? { ...spec, boot: { ...spec.boot, ...this.fault.boot } } : spec,
    );
    const surroundings = surroundingsOf(this.site, run, this.temporal);
    this.faulty.surroundings = surroundings;
    return attend(run, async (_, question) => {
      const instead = question.kind === 'reboot' || question.kind === 'disks' ? this.fault.answer : undefined;
      await (asked && instead !== undefined ? instead(run, question, surroundings) : answer(run, question));
    });
  }

  /** How the run ended, or why it did not. */
  private async tried(struck = false): Promise<RunStatus | string> {
    try {
      return await this.run(struck);
    } catch (error) {
      return String(error);
    }
  }

  private found(name: string): readonly string[] {
    const found = this.faulty.found.get(name);
    if (found === undefined) return ['the fault never struck'];
    return found === '' ? [] : [found];
  }

  private cell(step: Step, ended: RunStatus | string, problems: readonly string[]): Cell {
    const { fault, ends } = this;
    const outcome = typeof ended === 'string' ? null : ended.outcome;
    const how = typeof ended === 'string' ? ended : says(ended);
    const wrong = outcome === ends && problems.length === 0 ? [] : [`expected ${ends}, ended ${how}`];
    return { step: step.name, fault: fault.name, outcome, problems: [...wrong, ...problems] };
  }

  private async manifest(): Promise<Manifest> {
    const inCluster = IN_CLUSTER.includes(this.phase.name);
    return new Map([...hostManifest(this.site), ...(inCluster ? await clusterManifest(this.site) : [])]);
  }

  /** What the phase made is gone, and nothing else; phases without undo leave it. */
  private async asBefore(before: Manifest): Promise<string[]> {
    const { name, afterFailure } = this.phase;
    if (afterFailure === 'parks' && !stepsOf(name).some(({ undo }) => undo)) return [];
    const late = Date.now() + GONE_LIMIT_MS;
    const wanted =
      afterFailure === 'undone'
        ? new Map([...[...before].filter(([path]) => !decidesBoot(path)), ...this.freshBoot])
        : before;
    for (;;) {
      const left = differences(wanted, await this.manifest());
      if (left.length === 0 || Date.now() > late) return left.map((what) => `not as before: ${what}`);
      await delay(LOOK_EVERY_MS);
    }
  }

  /** What the run made outlasts a power cut, and the next run has nothing to do. */
  private async stays(): Promise<readonly string[]> {
    const { host } = this.site;
    host.powerCycle();
    await host.waitFor(({ isUp }) => isUp, 'a boot after the run', UP_LIMIT_MS);
    const before = hostManifest(this.site);
    const status = await this.tried();
    if (typeof status === 'string') return [`a second run: ${status}`];
    // What is accepted is proven anew, and after a power cut what runs in the cluster is waited for once more.
    const waits = new Set(PHASE_NAMES.flatMap((phase) => stepsOf(phase).filter(isWait)).map((step) => step.name));
    const changed = status.phases
      .filter(({ name }) => name !== 'acceptance')
      .flatMap(({ steps }) => steps)
      .filter(({ name, state }) => state !== 'unchanged' && hasCheck(name) && !waits.has(name))
      .map(({ name, summary }) => `a second run changes: ${name}: ${summary}`);
    const ends = status.outcome === 'provisioned' ? [] : [`a second run: ${says(status)}`];
    return [
      ...ends,
      ...changed,
      ...differences(before, hostManifest(this.site)).map((what) => `a second run changes: ${what}`),
    ];
  }
}

const isWait = ({ policy }: Step): boolean => policy === 'cluster-wait';
const says = (status: RunStatus): string => `${status.outcome}: ${status.failure?.message ?? ''}`;
