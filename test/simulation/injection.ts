/**
 * Lets the faults of a schedule strike where they are addressed to.
 * @module
 */
import { FAULTS, type Fault, type FaultName, type FaultPoint } from '../faults.js';
import type { FailureType } from '../../src/domain/run/failures.js';
import { failure } from '../workflow/modelled-activities.js';
import type { SimulatedHost } from './host.js';
import type { SimulatedTemporal, Task } from './temporal.js';
import type { Strike } from './worker.js';

/** Longer than every heartbeat timeout: the longest is a minute, of BMCs. */
const HANGS_MS = 90_000;

type Act = (
  fault: Fault,
  task: Task,
  host: SimulatedHost,
  temporal: SimulatedTemporal,
) => Strike | Promise<void> | void;

const ACTS: Readonly<Record<FaultName, Act>> = {
  fails: (_, task, host) => ({ failure: failure(typesOf(task, host).passing, `injected into ${task.name}`) }),
  'fails-for-good': (_, task, host) => ({
    failure: failure(typesOf(task, host).lasting, `injected into ${task.name}`),
  }),
  'times-out': (_, task, __, temporal) => {
    temporal.stopsHeartbeating(task);
    return { hangsMs: HANGS_MS };
  },
  'link-lost': () => ({ failure: failure('LinkLost', 'the connection broke') }),
  'worker-killed': ({ awaySeconds }, _, __, temporal) => temporal.workerIsKilled(awaySeconds * 1_000),
  'server-restarted': ({ awaySeconds }, _, __, temporal) => temporal.serverIsDown(awaySeconds * 1_000),
  cancelled: (_, __, ___, temporal) => temporal.cancel(),
  'host-rebooted': (_, __, host) => host.somebodyReboots(),
  'power-cut': (_, __, host) => host.losesPower(),
  'host-key-changed': (_, __, host) => void (host.keyMatches = false),
  drifted: (_, __, host) => host.drifts(),
};

/** What activities of a kind fail with: a failure that another attempt may mend, and one that it can't. */
function typesOf(
  { name }: Task,
  host: SimulatedHost,
): { readonly passing: FailureType; readonly lasting: FailureType } {
  if (name === 'preflight.check') return { passing: 'HostUnreachable', lasting: 'Blocked' };
  if (name.startsWith('bmc.')) return { passing: 'BmcUnavailable', lasting: 'BmcUnavailable' };
  if (host.activity(name).kind === 'cluster') return { passing: 'ClusterUnreachable', lasting: 'ClusterConflict' };
  if (host.activity(name).kind === 'probe') return { passing: 'BastionUnreachable', lasting: 'BastionRefused' };
  return { passing: 'HostUnreachable', lasting: 'CommandFailed' };
}

export class FaultInjection {
  struck = 0;
  private readonly left: Set<Fault>;

  constructor(
    faults: readonly Fault[],
    private readonly host: SimulatedHost,
    private readonly temporal: () => SimulatedTemporal,
    private readonly note: (text: string) => void,
  ) {
    this.left = new Set(faults);
  }

  /** Each fault strikes once. */
  strike(task: Task, point: FaultPoint): Strike | null {
    const here = [...this.left].find(
      (fault) =>
        fault.at === task.name &&
        fault.call === task.call &&
        (fault.attempt === 0 || fault.attempt === task.attempt) &&
        fault.point === point,
    );
    if (here === undefined) return null;
    this.left.delete(here);
    this.struck += 1;
    this.note(`fault ${here.kind} ${point} ${here.at}: ${FAULTS[here.kind].what}`);
    const strike = ACTS[here.kind](here, task, this.host, this.temporal());
    return typeof strike === 'object' && !(strike instanceof Promise) ? strike : {};
  }
}
