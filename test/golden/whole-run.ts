/**
 * Two runs with all that a report shows: one that ends well after a night at the gate, and one whose trial fails, is power-cycled and
 * undone. Figures are invented.
 * @module
 */
import type { TruthCell, TruthFact, TruthTable } from '../../src/domain/gpu/truth-table.js';
import type { PhaseStatus, RunEvent, RunStatus, StepStatus } from '../../src/domain/run/messages.js';
import { PHASES, type PhaseName } from '../../src/domain/run/phases.js';
import { stepsOf } from '../../src/domain/run/steps.js';
import { approval, endings, plan, reboot, run } from './runs.js';

const later = (from: string, seconds: number): string => new Date(Date.parse(from) + seconds * 1_000).toISOString();
const SECONDS_OF_A_STEP = 40;

const gpus = plan.devices.map((_, i) => ({
  uuid: `GPU-${String(i).repeat(8)}-0000-4000-8000-000000000000`,
  name: 'NVIDIA H100 80GB HBM3',
  copyGBps: 3_010 + i,
  bf16Tflops: 770 + i,
  hostToDeviceGBps: 53,
  deviceToHostGBps: 53.5,
  right: true,
}));
const FACTS: Readonly<Record<string, StepStatus['facts']>> = {
  'isolation.inspect-images': { images: plan.images.map(({ path }) => path), orphans: [] },
  'acceptance.await-job': {
    proven: 8,
    total: 8,
    gpus,
    peers: [],
    minimums: {
      model: 'H100 SXM5 80GB',
      least: { copyGBps: 2_700, bf16Tflops: 550, hostToDeviceGBps: 40, deviceToHostGBps: 40 },
    },
  },
};

/** A phase whose steps follow one another; it ends when the last of them does, or later. */
function phase(name: PhaseName, startedAt: string, more = 0, change: Partial<PhaseStatus> = {}): PhaseStatus {
  const steps = stepsOf(name, 'nested').map(({ name: step, summary }, i): StepStatus => {
    const at = later(startedAt, i * SECONDS_OF_A_STEP);
    const facts = FACTS[step] ?? null;
    return { name: step, state: 'done', summary, startedAt: at, seconds: SECONDS_OF_A_STEP, facts };
  });
  const seconds = steps.length * SECONDS_OF_A_STEP + more;
  return { name, state: 'done', summary: `${name} verified`, startedAt, seconds, steps, ...change };
}

/** From the begin of one phase to that of the next. */
function inOrder(begin: string, more: Partial<Record<PhaseName, number>>): PhaseStatus[] {
  let at = begin;
  return PHASES.map(({ name }) => {
    const made = phase(name, at, more[name]);
    at = later(at, made.seconds ?? 0);
    return made;
  });
}

const FOUND: readonly (readonly [TruthFact, string])[] = [
  ['present', 'yes'],
  ['id', '10de:2330'],
  ['driver', 'vfio-pci'],
  ['link_width', 'x16'],
  ['config_space', 'ok'],
];

/** What was found after the boot; one device is on its native driver. */
function truth(clinging: string | null): TruthTable {
  const rows = plan.devices.map(({ address }) => {
    const bad = address === clinging;
    const cells = FOUND.map(([fact, value]): TruthCell =>
      bad && fact === 'driver' ? { fact, value: 'nvidia', ok: false } : { fact, value, ok: true },
    );
    return { address, cells, ok: !bad };
  });
  const problems = clinging === null ? [] : [`${clinging}: driver is nvidia, expected vfio-pci`];
  const evidence = plan.devices
    .map(({ address }) => `${address} 3D controller [0302]: NVIDIA Corporation GH100 [H100 SXM5 80GB] [10de:2330]`)
    .join('\n');
  return { rows, ok: clinging === null, problems, evidence };
}

const begin = '2026-11-24T16:20:00.000Z';
const NIGHT = 14 * 3_600;
const all = inOrder(begin, { 'gpu-isolation': NIGHT + 1_200 });
const staged = later(all[3]!.steps.at(-1)!.startedAt, SECONDS_OF_A_STEP);
const approved = later(staged, NIGHT);
const gpuEvent = (at: string, kind: string, text: string): RunEvent => ({ at, phase: 'gpu-isolation', kind, text });

const asked: readonly RunEvent[] = [
  gpuEvent(staged, 'gate', 'reboot asks: h100-01 boots a new image once; 8 GPUs move to vfio-pci. Digest 7f3a-91c2'),
  gpuEvent(later(staged, 4 * 3_600), 'reminder', 'reboot still waits for an answer'),
  gpuEvent(approved, 'decision', 'reboot approved by op-a@ops1 (CHG-4711)'),
  gpuEvent(later(approved, 3), 'reboot', `reboot 1 (forward) is asked for; boot ${plan.bootId} ends`),
  gpuEvent(later(approved, 68), 'left', 'the old boot answers no more'),
];
const decisions = [{ ...approval, at: approved }];

export const wholeRun: RunStatus = {
  ...endings['provisioned']![0],
  startedAt: begin,
  endedAt: later(all.at(-1)!.startedAt!, all.at(-1)!.seconds!),
  waitedSeconds: NIGHT,
  phases: all,
  decisions,
  reboot: {
    ...reboot,
    requestedAt: later(approved, 3),
    leftAt: later(approved, 68),
    outcome: {
      kind: 'trial',
      bootId: '90aa1b2c-0000-4000-8000-000000000001',
      commandLine: plan.commandLine.next,
      seenAt: later(approved, 800),
      evidence: 'boot 90aa1b2c-0000-4000-8000-000000000001, up 41 s',
    },
  },
  devices: truth(null),
  events: [...asked, gpuEvent(later(approved, 800), 'back', 'trial: boot 90aa1b2c answers, up 41 s')],
};

const undone = stepsOf('gpu-isolation').filter(({ undo }) => undo);

export const undoneRun: RunStatus = {
  ...run(endings['restored']![0]),
  startedAt: begin,
  endedAt: later(approved, 6_000),
  waitedSeconds: NIGHT,
  phases: all.map((one) => {
    if (one.name !== 'gpu-isolation')
      return ['preflight', 'node-preparation', 'k3s'].includes(one.name)
        ? one
        : { name: one.name, state: 'pending', summary: '', startedAt: null, seconds: null, steps: [] };
    const steps = one.steps.map((step): StepStatus =>
      undone.some(({ name }) => name === step.name) ? { ...step, state: 'undone', seconds: NIGHT + 5_000 } : step,
    );
    return { ...one, state: 'undone', summary: '87:00.0 stayed on nvidia', seconds: NIGHT + 6_000, steps };
  }),
  decisions,
  counts: { forwardReboots: 1, undoReboots: 1, powerCycles: 1 },
  compensations: undone.map(({ name }) => name).toReversed(),
  reboot: { ...wholeRun.reboot!, number: 2, purpose: 'undo' },
  devices: truth('0000:87:00.0'),
  events: [
    ...asked,
    gpuEvent(later(approved, 2_100), 'rung', 'wait: not back after 2100 s (no answer on port 22)'),
    gpuEvent(later(approved, 2_110), 'rung', 'BMC says: power on; event log empty'),
    gpuEvent(later(approved, 3_300), 'rung', 'bmc.power-cycle: power was on, is on'),
    gpuEvent(later(approved, 3_900), 'back', 'fell-back: known-good answers'),
    gpuEvent(later(approved, 3_901), 'undo', 'undo begins'),
    gpuEvent(later(approved, 4_500), 'reboot', 'reboot 2 (undo) is asked for'),
    gpuEvent(later(approved, 5_200), 'back', 'default: boot 90aa1b2c answers, up 41 s'),
  ],
};
