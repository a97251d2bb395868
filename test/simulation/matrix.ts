/**
 * Every activity of a run and the schedule in which it takes place: the rows of steps x faults. Made from the step tables, so that a new
 * step has its row.
 * @module
 */
import { PHASES } from '../../src/domain/run/phases.js';
import { stepsOf } from '../../src/domain/run/steps.js';
import { FAULTS, type Fault, type FaultName } from '../faults.js';
import { World } from '../workflow/world.js';
import { CALM, REBOOT_ACTS, UPGRADE_ACTS, type Schedule } from './schedule.js';

const AWAY_SECONDS = 300;

const STEPS = PHASES.flatMap(({ name }) => stepsOf(name));
/** What a run of all phases never does: it verifies no phase that was left out, undoes no step without an undo, tells nobody and records nothing. */
const NEVER: ReadonlySet<string> = new Set([
  'reboot.disarm',
  'announce',
  'audit.append',
  'reboot.read-plan',
  'commit.close-reboot',
  'commit.close-upgrade',
  'upgrade.settle-lost',
  ...UPGRADE_ACTS.filter((name) => name.startsWith('upgrade.')),
  'decommission.read-plan',
  'decommission.withdraw-gpus',
  'decommission.begin',
  ...STEPS.map(({ name }) => `${name}.verify`),
  ...STEPS.filter(({ undo }) => !undo).map(({ name }) => `${name}.undo`),
]);

/** Names of all activities that a run can come to. */
const ACTS: readonly string[] = Object.keys(new World().modelled).filter((name) => !NEVER.has(name));

type Scenes = readonly (readonly [RegExp, Partial<Schedule>])[];

/** Where the first row that matches has the schedule in which an activity takes place. */
const SCENES: Scenes = [
  [/^bmc\.power-on$/, { phases: 'isolation', behaviours: ['hangs'], cyclesThatStop: 1 }],
  [/^(bmc\.|reboot\.look)/, { phases: 'isolation', behaviours: ['hangs'] }],
  [/^(restore\.|isolation\..*\.undo$)/, { phases: 'isolation', behaviours: ['falls-back'] }],
  [/^(preflight|preparation|k3s|isolation|reboot|commit|workloads|host)\./, { phases: 'isolation' }],
  [/./, { found: 'isolated', acceptance: 'all' }],
];

const REBOOT: Partial<Schedule> = { purpose: 'reboot', phases: 'isolation', found: 'isolated' };
const REBOOT_SCENES: Scenes = [
  [/^bmc\.power-on$/, { ...REBOOT, behaviours: ['hangs'], cyclesThatStop: 1, parked: ['resume'] }],
  [/^bmc\./, { ...REBOOT, behaviours: ['hangs'], parked: ['resume'] }],
  [/^(restore\.|reboot\.look)/, { ...REBOOT, behaviours: ['falls-back'], parked: ['resume'] }],
  [/./, REBOOT],
];

const UPGRADE: Partial<Schedule> = { purpose: 'upgrade-kernel', phases: 'isolation', found: 'isolated' };
const UPGRADE_SCENES: Scenes = [
  [/^bmc\.power-on$/, { ...UPGRADE, behaviours: ['hangs'], cyclesThatStop: 1 }],
  [/^bmc\./, { ...UPGRADE, behaviours: ['hangs'] }],
  [/^(restore\.|reboot\.look|upgrade\.remove|commit\.close-reboot)/, { ...UPGRADE, behaviours: ['falls-back'] }],
  [/./, UPGRADE],
];

/** The rows of each kind of run. */
export const TABLES: Readonly<
  Record<Schedule['purpose'], { readonly acts: readonly string[]; readonly scenes: Scenes }>
> = {
  provision: { acts: ACTS, scenes: SCENES },
  reboot: { acts: REBOOT_ACTS, scenes: REBOOT_SCENES },
  'upgrade-kernel': { acts: UPGRADE_ACTS, scenes: UPGRADE_SCENES },
};

/** The schedule of one cell. */
export function cell(name: string, kind: FaultName, point: Fault['point'], scenes: Scenes): Schedule {
  const scene = scenes.find(([names]) => names.test(name))?.[1];
  // Attempts to see the host back fail until it is.
  const attempt = name.startsWith('reboot.await') ? 0 : 1;
  const fault = { kind, at: name, call: 1, attempt, point, awaySeconds: AWAY_SECONDS };
  return { ...CALM, ...scene, faults: [...failureBefore(name), fault] };
}

/** The steps of other phases are undone when the last step of their phase fails for good and the phase is given up. */
function failureBefore(name: string): readonly Fault[] {
  if (!name.endsWith('.undo') || name.startsWith('isolation.')) return [];
  const step = name.slice(0, -'.undo'.length);
  const phase = PHASES.find((p) => stepsOf(p.name).some((s) => s.name === step));
  const last = phase === undefined ? undefined : stepsOf(phase.name).at(-1);
  if (last === undefined) throw new RangeError(`no phase has the step ${step}`);
  return [{ kind: 'fails-for-good', at: last.name, call: 1, attempt: 1, point: 'before', awaySeconds: 0 }];
}

export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];
