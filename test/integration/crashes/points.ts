/**
 * Where a worker is killed. At each point the run stands still until the worker is gone, so the crash happens there and nowhere else.
 * @module
 */
import type { FaultPoint, FaultRule } from '../../../lab/rack/index.js';
import { HOOK_PATH } from '../../../src/domain/host-layout.js';
import type { ProvisionRun } from '../../support/provision-run.js';
import type { Site } from '../rig.js';
import { UNDISTURBED, UNDONE, type Effects } from './effects.js';
import type { TemporalProxy } from './temporal-proxy.js';

interface Place {
  readonly site: Site;
  readonly run: ProvisionRun;
  readonly proxy: TemporalProxy;
}

export interface CrashPoint {
  readonly name: string;
  /** Makes the run stop there: `stand` is called by what stops, and resolves when it may go on. */
  readonly stop: (place: Place, stand: () => Promise<void>) => void;
}

const onHost =
  (at: FaultPoint, match: string | RegExp, more: Pick<FaultRule, 'boot'> & { readonly when?: 'after' } = {}) =>
  ({ site }: Place, stand: () => Promise<void>): void => {
    const { when = 'before', ...rest } = more;
    site.rack.faults.add({ at, match, ...rest, effect: { kind: 'hold', when, at: stand } });
  };

/** A call of the worker to Temporal that names this activity of the run. */
const onWire =
  (method: string, activity: string) =>
  ({ run, proxy }: Place, stand: () => Promise<void>): void =>
    proxy.hold(method, [run.handle.workflowId, activity], stand);

const TRIAL = 'gpu-provision.trial=';

/** What makes every trial fail, so that it is undone. */
const CLINGING: FaultRule = {
  at: 'pci-bind',
  match: '0000:87:00.0',
  boot: TRIAL,
  effect: { kind: 'native-wins' },
  times: 9,
};

/** The reboot of the trial is asked for here, not yet answered; a match of the whole script, since plans quote its end. */
const REBOOT = /--on-active=2 systemctl reboot/;

const build = onHost('program', /^update-initramfs -u -k all$/);

/** Names of points that tests refer to. */
export const APT_RUNS: CrashPoint = { name: 'apt runs', stop: onHost('program', /^apt-get .*\binstall\b/) };
export const BUILD_RUNS: CrashPoint = { name: 'update-initramfs runs', stop: build };
export const QUESTION_OPEN: CrashPoint = {
  name: 'the question is open',
  stop: ({ run }, stand) => void run.untilAsked('reboot').then(stand, () => undefined),
};
export const HOST_AWAY: CrashPoint = { name: 'the host is away', stop: onHost('boot', 'kernel', { boot: TRIAL }) };
export const ANSWER_LOST: CrashPoint = {
  name: 'a command has ended, its answer has not arrived',
  // The script that writes, and not those that only name the file.
  stop: onHost('ssh', new RegExp(`wrote \\$got, wanted[^]*${HOOK_PATH}`), { when: 'after' }),
};

export interface Journey {
  readonly ends: 'provisioned' | 'restored';
  readonly faults: readonly FaultRule[];
  readonly effects: Partial<Effects>;
  /** In the order in which the run gets there; the worker is killed at each of them. */
  readonly points: readonly CrashPoint[];
}

export const provisionedBy = (...points: readonly CrashPoint[]): Journey => ({
  ends: 'provisioned',
  faults: [],
  effects: UNDISTURBED,
  points,
});

export const JOURNEYS: readonly Journey[] = [
  provisionedBy(
    APT_RUNS,
    // By then dpkg calls its packages installed.
    { name: 'apt runs update-initramfs', stop: build },
    BUILD_RUNS,
    { name: 'the reboot is issued, its answer has not arrived', stop: onHost('ssh', REBOOT, { when: 'after' }) },
  ),
  provisionedBy({ name: 'an activity begins', stop: onHost('ssh', /sysctl/) }, QUESTION_OPEN, HOST_AWAY),
  provisionedBy(
    {
      name: 'an activity is done, but not recorded',
      stop: onWire('RespondActivityTaskCompleted', 'isolation.write-hook'),
    },
    {
      name: 'a workflow task is in progress',
      stop: onWire('RespondWorkflowTaskCompleted', 'isolation.inspect-images'),
    },
    { name: 'the reboot is issued, but not recorded', stop: onWire('RespondActivityTaskCompleted', 'reboot.request') },
  ),
  {
    ends: 'restored',
    faults: [CLINGING],
    effects: UNDONE,
    points: [
      ANSWER_LOST,
      {
        name: 'the reboot is decided, but not recorded',
        stop: onWire('RespondWorkflowTaskCompleted', 'reboot.request'),
      },
      {
        name: 'the undo has put a file back, but it is not recorded',
        stop: onWire('RespondActivityTaskCompleted', 'isolation.write-hook.undo'),
      },
      { name: 'the undo reboots', stop: onHost('ssh', REBOOT, { when: 'after', boot: TRIAL }) },
    ],
  },
];
