/**
 * Runs at the moments that people look at them. Figures are invented.
 * @module
 */
import type { RebootPlan } from '../../src/domain/boot/plan.js';
import type { TruthBaseline } from '../../src/domain/gpu/truth-table.js';
import type { DecommissionPlan } from '../../src/domain/decommission.js';
import type { HostOutput } from '../../src/domain/run/host-output.js';
import type { PhaseStatus, RebootStatus, RunEvent, RunStatus } from '../../src/domain/run/messages.js';
import { PHASES, type PhaseName } from '../../src/domain/run/phases.js';
import type { OpenQuestion, Receipt } from '../../src/domain/run/questions.js';
import type { Contact, KnownRun, ListedRun, RunView, WorkflowState } from '../../src/domain/run/view.js';

const DAY = '2026-11-24T';
export const at = (time: string): string => `${DAY}${time}.000Z`;

const BUSES = ['0a', '18', '3b', '44', '87', '90', 'b8', 'c1'];
const KERNEL = '6.8.0-60-generic';

export const plan: RebootPlan = {
  bootId: '3f2c0d5e-8a41-4f7b-9c3e-1b2a6d7e8f90',
  kernel: KERNEL,
  strategy: 'known-good',
  files: [
    '/etc/default/grub.d/99-gpu-provision.cfg',
    '/etc/gpu-provision/dead-man',
    '/etc/initramfs-tools/scripts/init-top/00-vfio-first',
    '/etc/initramfs-tools/scripts/init-top/vfio-pci-override',
    '/etc/modprobe.d/gpu-provision.conf',
    '/etc/systemd/system/gpu-provision-dead-man.service',
    '/boot/grub/custom.cfg',
  ].map((path, i) => ({ path, sha256: String(i).repeat(64), action: 'new' as const })),
  images: [KERNEL, '6.8.0-58-generic'].map((kernel, i) => ({
    path: `/boot/initrd.img-${kernel}`,
    kernel,
    sha256: `${'ab'[i]}`.repeat(64),
  })),
  commandLine: {
    now: `BOOT_IMAGE=/vmlinuz-${KERNEL} root=/dev/mapper/vg-root ro quiet`,
    next: 'root=/dev/mapper/vg-root ro quiet iommu=pt gpu-provision.trial=5d1e panic=30 oops=panic',
  },
  defaultEntry: 'gpu-provision-known-good',
  devices: BUSES.map((bus, i) => ({
    address: `0000:${bus}:00.0`,
    id: '10de:2330',
    driver: 'nvidia',
    iommuGroup: 20 + i,
  })),
  workloads: { vms: [], gpuProcesses: [], foreignPods: [] },
  digest: '7f3a-91c2',
  sha256: `7f3a91c2${'0'.repeat(56)}`,
  imagesRebuilt: 2,
  diff: '--- /etc/default/grub.d/99-gpu-provision.cfg\n+GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT iommu=pt"\n',
  earlierBootSeconds: [960, 840, 660],
  alarmSeconds: 2_100,
  deadManSeconds: 1_800,
  bmc: { kind: 'ipmi', tested: true, console: false },
  cordonedAt: at('14:25:10'),
  stays: ['packages and files of phase 2', 'k3s of phase 3'],
  warnings: ['BMC console unavailable: a hang would leave no screen output'],
  allows: { reboots: 2, powerCycles: 2 },
};

/** Of a host that is provisioned. */
export const provenPlan: RebootPlan = {
  ...plan,
  boots: 'proven',
  files: plan.files.map((file) => ({ ...file, action: 'kept' as const })),
  devices: plan.devices.map((device) => ({ ...device, driver: 'vfio-pci' })),
  imagesRebuilt: 0,
  diff: '',
  stays: ['every file as it was committed', 'k3s, Cozystack and its storage'],
};

/** Of a host that is provisioned, with a newer kernel in the archive. */
export const kernelPlan: RebootPlan = {
  ...provenPlan,
  boots: 'kernel',
  files: [...provenPlan.files, { path: '/boot/grub/grub.cfg', sha256: '5d'.repeat(32), action: 'changed' }],
  imagesRebuilt: 1,
  stays: [
    'kernel 6.8.0-60-generic with its modules, its image and its metapackages, held',
    'k3s, Cozystack and its storage',
  ],
  upgrade: {
    from: '6.8.0-60-generic',
    to: '6.8.0-62-generic',
    packages: [
      'headers-6.8.0-62',
      ...['headers', 'image', 'modules', 'modules-extra'].map((part) => `${part}-6.8.0-62-generic`),
    ].map((name) => ({ name: `linux-${name}`, version: '6.8.0-62.65' })),
  },
};

/** As preflight found the host. */
export const baseline: TruthBaseline = {
  linkWidths: Object.fromEntries(plan.devices.map(({ address }) => [address, 16])),
  nativeDrivers: Object.fromEntries(plan.devices.map(({ address }) => [address, 'nvidia'])),
  failedUnits: [],
};

export const question: OpenQuestion = {
  id: 'reboot',
  kind: 'reboot',
  text: 'h100-01 boots a new image once; 8 GPUs move to vfio-pci. Digest 7f3a-91c2',
  digest: '7f3a-91c2',
  openedAt: at('14:31:40'),
  expiresAt: '2026-11-25T14:31:40.000Z',
  reminders: 0,
};

export const approval: Receipt = {
  gate: 'reboot',
  choice: 'approve',
  digest: '7f3a-91c2',
  by: 'op-a@ops1',
  reason: 'CHG-4711',
  at: at('14:40:02'),
  duplicate: false,
};

const DONE: readonly (readonly [PhaseName, string, number])[] = [
  ['preflight', '38 checks, 2 warnings', 41],
  ['node-preparation', '11 packages, 10 files, 7 modules', 192],
  ['k3s', 'v1.35.3+k3s1 ready; node NotReady until phase 5 (expected)', 65],
];

/** The first phases done, the given one as it is, the rest to come. */
export function phases(current: Partial<PhaseStatus> & Pick<PhaseStatus, 'name' | 'state'>): PhaseStatus[] {
  const number = PHASES.findIndex(({ name }) => name === current.name);
  return PHASES.map(({ name }, i) => {
    const done = DONE.find(([known]) => known === name);
    const blank = { name, summary: '', startedAt: null, seconds: null, steps: [] };
    if (i < number) {
      return { ...blank, state: 'done', summary: done?.[1] ?? `${name} is as it should be`, seconds: done?.[2] ?? 300 };
    }
    return i === number ? { ...blank, startedAt: at('14:25:47'), ...current } : { ...blank, state: 'pending' };
  });
}

export function run(change: Partial<RunStatus> = {}): RunStatus {
  return {
    server: 'h100-01',
    site: 'fra1',
    cluster: 'fra1-a',
    acceptance: 'nested',
    serial: '5XKQ1P3',
    address: '192.0.2.11',
    runId: '5d1e7c90-52d5-4c2e-9a06-1f1e7a3c9b11',
    startedBy: 'op-b@ops2',
    startedAt: at('10:20:00'),
    now: at('14:31:40'),
    outcome: null,
    endedAt: null,
    phases: phases({ name: 'gpu-isolation', state: 'waiting', summary: 'staged; WAITING FOR APPROVAL' }),
    question: null,
    decisions: [],
    lastRefusal: null,
    plan,
    reboot: null,
    versions: { k3s: 'v1.35.3+k3s1', cozystack: '1.5.4' },
    baseline,
    devices: null,
    counts: { forwardReboots: 0, undoReboots: 0, powerCycles: 0 },
    waitedSeconds: 0,
    compensations: [],
    artifacts: [],
    failure: null,
    findings: [],
    instructions: [],
    events: [],
    ...change,
  };
}

export function view(status: RunStatus | null, now: string, change: Partial<RunView> = {}): RunView {
  return {
    server: 'h100-01',
    now,
    workflow: 'running',
    contact: { kind: 'ok' },
    status,
    statusAt: status === null ? null : now,
    output: null,
    known: {
      runId: '5d1e7c90-52d5-4c2e-9a06-1f1e7a3c9b11',
      startedAt: at('10:20:00'),
      endedAt: null,
      startedBy: 'op-b@ops2',
      site: 'fra1',
      cluster: 'fra1-a',
      phase: 'gpu-isolation',
      gate: null,
      outcome: null,
      failure: null,
    },
    ...change,
  };
}

const event = (time: string, kind: string, text: string): RunEvent => ({
  at: at(time),
  phase: 'gpu-isolation',
  kind,
  text,
});

export const reboot: RebootStatus = {
  number: 1,
  purpose: 'forward',
  oldBootId: plan.bootId,
  requestedAt: at('14:40:05'),
  leftAt: at('14:41:10'),
  outcome: null,
  ladder: [
    { rung: 'wait', at: at('14:40:05'), state: 'now' },
    { rung: 'look', at: at('15:15:05'), state: 'next' },
    { rung: 'graceful', at: at('15:35:05'), state: 'next' },
    { rung: 'power-cycle', at: at('15:45:05'), state: 'next' },
    { rung: 'person', at: at('16:05:05'), state: 'next' },
  ],
  usualSeconds: 840,
  bmc: 'power on; console 6 s ago: "Initializing memory 87%"',
};

export const rebootEvents: readonly RunEvent[] = [
  event('14:31:40', 'gate', 'reboot asks: h100-01 boots a new image once; 8 GPUs move to vfio-pci. Digest 7f3a-91c2'),
  event('14:40:02', 'decision', 'reboot approved by op-a@ops1 (CHG-4711)'),
  event('14:40:05', 'reboot', 'boot id 3f2c.. still current, one-shot armed and read back, reboot asked'),
  event('14:41:10', 'left', 'SSH gone, shutdown took 65 s'),
];

const rebooting = { forwardReboots: 1, undoReboots: 0, powerCycles: 0 };

export const atGate = run({ question, events: rebootEvents.slice(0, 1) });

export const waiting = run({
  phases: phases({ name: 'gpu-isolation', state: 'running', summary: 'rebooting into the trial' }),
  decisions: [approval],
  reboot,
  counts: rebooting,
  events: rebootEvents,
});

export const fellBack = run({
  ...waiting,
  reboot: {
    ...reboot,
    outcome: {
      kind: 'fell-back',
      bootId: '90aa1b2c-0000-4000-8000-000000000001',
      commandLine: 'gpu-provision.known-good',
      seenAt: at('15:23:50'),
      evidence: 'no confirmation in 30 min: sshd up, no route (evidence: boot journal, console)',
    },
  },
  phases: phases({ name: 'gpu-isolation', state: 'running', summary: 'undoing: reboot 1: fell-back' }),
  events: [...rebootEvents, event('15:23:50', 'back', 'fell-back: known-good answers')],
});

const everyPhaseDone = PHASES.map(({ name }): PhaseStatus => {
  const known = DONE.find(([done]) => done === name);
  return {
    name,
    state: 'done',
    summary: known?.[1] ?? `${name} verified`,
    startedAt: at('10:20:00'),
    seconds: 300,
    steps: [],
  };
});

const ended = { endedAt: at('12:12:00'), waitedSeconds: 2_280 };

/** One status for each way in which a run ends, with the state of its workflow. */
export const endings: Readonly<Record<string, readonly [RunStatus, WorkflowState]>> = {
  provisioned: [
    run({
      ...ended,
      outcome: 'provisioned',
      phases: everyPhaseDone,
      decisions: [approval],
      counts: rebooting,
      findings: [
        { area: 'host', text: '8/8 vfio-pci, checked twice; link x16 as before; default entry = the one proven' },
        {
          area: 'cluster',
          text: 'fra1-a: allocatable nvidia.com/H100_SXM5_80GB 8; 87/87 HelmReleases; node uncordoned',
        },
        { area: 'nested', text: 'tenant-workload/main: 2 GPUs allocatable' },
        { area: 'proven', text: '8/8 GPUs ran: HBM 3.1-3.2 TB/s (min 2.8)  GEMM 612-640 TF (min 550)' },
        { area: 'watch', text: 'kernel 6.8.0-60 is held' },
      ],
    }),
    'completed',
  ],
  decommissioned: [
    run({
      ...ended,
      purpose: 'decommission',
      outcome: 'decommissioned',
      decisions: [{ ...approval, gate: 'decommission' }],
      counts: { forwardReboots: 0, undoReboots: 1, powerCycles: 0 },
      plan: null,
      phases: phases({ name: 'gpu-isolation', state: 'undone', summary: "8 GPUs are on the host's own drivers" }),
      findings: [
        { area: 'now', text: 'native drivers 8/8; default entry as before; 212 files and 4 images equal by sha' },
        { area: 'remains', text: 'packages and files of phase 2, and the copy of known-good; k3s, Cozystack' },
      ],
    }),
    'completed',
  ],
  rebooted: [
    run({
      ...ended,
      purpose: 'reboot',
      outcome: 'rebooted',
      decisions: [approval],
      counts: rebooting,
      plan: provenPlan,
      phases: phases({ name: 'gpu-isolation', state: 'done', summary: '8/8 vfio-pci, checked twice' }),
      findings: [
        {
          area: 'host',
          text: '8 GPUs on vfio-pci, checked twice; the proven entry is the default; every file as committed',
        },
      ],
    }),
    'completed',
  ],
  upgraded: [
    run({
      ...ended,
      purpose: 'upgrade-kernel',
      outcome: 'upgraded',
      decisions: [approval],
      counts: rebooting,
      plan: kernelPlan,
      phases: phases({ name: 'gpu-isolation', state: 'done', summary: '8/8 vfio-pci, checked twice' }),
      findings: [
        {
          area: 'host',
          text: '8 GPUs on vfio-pci, checked twice; kernel 6.8.0-62-generic runs and is the default, 6.8.0-60-generic is what known-good boots',
        },
      ],
    }),
    'completed',
  ],
  'upgrade-restored': [
    run({
      ...ended,
      purpose: 'upgrade-kernel',
      outcome: 'restored',
      decisions: [approval],
      counts: { forwardReboots: 1, undoReboots: 1, powerCycles: 0 },
      plan: kernelPlan,
      phases: phases({ name: 'gpu-isolation', state: 'undone', summary: 'reboot 1: fell-back', seconds: 4_000 }),
      failure: { type: 'BootFailed', message: 'reboot 1: fell-back. boot 9c1e', phase: 'gpu-isolation', step: null },
      findings: [
        {
          area: 'host',
          text: '8 GPUs on vfio-pci, checked twice; the proven entry is the default; every file as committed',
        },
        { area: 'now', text: 'kernel 6.8.0-62-generic is removed; the host runs 6.8.0-60-generic' },
      ],
    }),
    'failed',
  ],
  restored: [
    run({
      ...ended,
      outcome: 'restored',
      decisions: [approval],
      counts: { forwardReboots: 1, undoReboots: 1, powerCycles: 0 },
      phases: phases({ name: 'gpu-isolation', state: 'undone', summary: '87:00.0 stayed on nvidia', seconds: 4_000 }),
      failure: {
        type: 'IsolationNotVerified',
        message: "reboot 1: 87:00.0 stayed on nvidia (7 of 8). The image's init-top ORDER ran udev first",
        phase: 'gpu-isolation',
        step: null,
      },
      findings: [
        { area: 'now', text: 'native drivers 8/8; default entry as before; 212 files and 4 images equal by sha' },
      ],
    }),
    'failed',
  ],
  'needs-hands': [
    run({
      endedAt: at('16:10:00'),
      outcome: 'needs-hands',
      decisions: [approval],
      counts: { forwardReboots: 1, undoReboots: 0, powerCycles: 2 },
      phases: phases({ name: 'gpu-isolation', state: 'waiting', summary: 'needs hands: no sign of life for 65 min' }),
      reboot: {
        ...reboot,
        outcome: {
          kind: 'left-not-back',
          bootId: null,
          commandLine: null,
          seenAt: null,
          evidence: 'no answer on port 22',
        },
        bmc: 'power on',
        console: 'error: no such device: 1c2e...',
      },
      question: { ...question, id: 'needs-hands', kind: 'needs-hands', digest: '', expiresAt: null },
      failure: { type: 'BootFailed', message: 'no sign of life for 65 min', phase: 'gpu-isolation', step: null },
      instructions: [
        'open the BMC console (192.0.2.111)',
        'choose "gpu-provision known-good" in the GRUB menu',
        'check that 192.0.2.11 answers by SSH',
        'gpu-provision resume h100-01 --note "what you did"',
      ],
    }),
    'running',
  ],
  rejected: [
    run({
      ...ended,
      outcome: 'rejected',
      decisions: [{ ...approval, choice: 'reject', reason: 'not on a Friday' }],
      phases: phases({ name: 'gpu-isolation', state: 'undone', summary: 'rejected by op-a@ops1', seconds: 900 }),
      failure: {
        type: 'Rejected',
        message: 'rejected by op-a@ops1: not on a Friday',
        phase: 'gpu-isolation',
        step: null,
      },
      findings: [
        { area: 'now', text: 'native drivers 8/8; default entry as before; 9 files and 4 images equal by sha' },
      ],
    }),
    'failed',
  ],
  expired: [
    run({
      ...ended,
      outcome: 'expired',
      phases: phases({ name: 'gpu-isolation', state: 'undone', summary: 'nobody decided', seconds: 87_000 }),
      failure: { type: 'Expired', message: 'nobody decided "reboot" in time', phase: 'gpu-isolation', step: null },
    }),
    'failed',
  ],
  incomplete: [
    run({
      ...ended,
      outcome: 'incomplete',
      decisions: [
        approval,
        { ...approval, gate: 'parked:cozystack', choice: 'reject', digest: '', at: at('16:02:00') },
      ],
      counts: rebooting,
      phases: phases({ name: 'cozystack', state: 'failed', summary: 'given up', seconds: 5_400 }),
      failure: {
        type: 'GivenUp',
        message: 'phase cozystack was given up: 3 of 87 HelmReleases are not ready: linstor, kubevirt, tenant-root',
        phase: 'cozystack',
        step: 'cozystack.await-releases',
      },
    }),
    'failed',
  ],
  refused: [
    run({
      endedAt: at('10:20:41'),
      outcome: 'refused',
      plan: null,
      baseline: null,
      phases: phases({ name: 'preflight', state: 'failed', summary: '1 of 38 checks blocks', seconds: 41 }),
      failure: {
        type: 'Blocked',
        message:
          '2 VMs run here: tenant-a/db-0, tenant-b/web-1. Stop or move them, or set servers.h100-01.workloads: stop',
        phase: 'preflight',
        step: 'preflight.check',
      },
    }),
    'failed',
  ],
  cancelled: [
    run({
      ...ended,
      outcome: 'restored',
      phases: phases({ name: 'gpu-isolation', state: 'undone', summary: 'cancelled by a person', seconds: 700 }),
      failure: { type: 'Cancelled', message: 'cancelled by a person', phase: 'gpu-isolation', step: null },
      findings: [
        { area: 'now', text: 'native drivers 8/8; default entry as before; 9 files and 4 images equal by sha' },
      ],
    }),
    'cancelled',
  ],
};

export const noWorker = (since: string | null): Contact => ({ kind: 'no-worker', queue: 'provision', since });

function inList(
  server: string,
  known: Partial<KnownRun>,
  change: Partial<Omit<ListedRun, 'known' | 'server'>> = {},
): ListedRun {
  const { site, cluster, startedBy, startedAt, runId } = run();
  const blank = { endedAt: null, phase: null, gate: null, outcome: null, failure: null };
  return {
    server,
    workflow: 'running',
    gateOpenedAt: null,
    ...change,
    known: { runId, site, cluster, startedBy, startedAt, ...blank, ...known },
  };
}

/** The newest first, as the client gives them. */
export const listed: readonly ListedRun[] = [
  inList('h100-05', {}),
  inList('h100-04', { phase: 'k3s', startedAt: at('15:58:00') }),
  inList('h100-01', { phase: 'gpu-isolation', gate: 'reboot' }, { gateOpenedAt: at('14:31:40') }),
  inList('h100-02', { phase: 'cozystack', gate: 'parked:cozystack', cluster: '' }),
  inList(
    'h100-a-long-name-09',
    { phase: 'gpu-isolation', gate: 'needs-hands', outcome: 'needs-hands', startedAt: '2026-11-22T08:00:00.000Z' },
    { gateOpenedAt: '2026-11-22T10:00:00.000Z' },
  ),
  inList('h100-06', { outcome: 'provisioned', endedAt: at('12:12:00') }, { workflow: 'completed' }),
  inList('h100-07', { outcome: 'restored', endedAt: at('12:12:00') }, { workflow: 'cancelled' }),
  inList('h100-08', { outcome: 'needs-hands', endedAt: at('12:12:00') }, { workflow: 'terminated' }),
];

/** A kernel came since the commit. */
export const decommissionPlan: DecommissionPlan = {
  bootId: 'boot-1',
  committedBy: 'run-1',
  strategy: 'known-good',
  paths: [
    { path: '/boot/grub/grub.cfg', now: 'a' },
    { path: '/boot/initrd.img-6.8.0-60-generic', now: 'b' },
  ],
  changedSince: ['/boot/grub/grub.cfg', '/etc/initramfs-tools/modules'],
  laterImages: ['/boot/initrd.img-6.8.0-62-generic'],
  devices: [
    { address: '0000:0a:00.0', driver: 'vfio-pci', wanted: 'nvidia' },
    { address: '0000:18:00.0', driver: 'vfio-pci', wanted: null },
  ],
  ordinaryEntry: 'Ubuntu, with Linux 6.8.0-62-generic',
  foreignPods: ['tenant-a/web-1'],
  digest: '7f3a-91c2',
  alarmSeconds: 2_100,
  bmc: { kind: 'ipmi', tested: true },
  stays: ['packages and files of phase 2', 'k3s'],
  allows: { reboots: 2, powerCycles: 2 },
};

/** What apt says while it installs the packages of phase 2. */
export const output: HostOutput = {
  kind: 'host-output',
  command: 'apt-get',
  lines: [
    'Preparing to unpack .../lvm2_2.03.16-3ubuntu3.1_amd64.deb ...',
    'Unpacking lvm2 (2.03.16-3ubuntu3.1) ...',
    'Setting up lvm2 (2.03.16-3ubuntu3.1) ...',
    'Created symlink /etc/systemd/system/sysinit.target.wants/blk-availability.service → /usr/lib/systemd/system/blk-availability.service.',
    'Created symlink /etc/systemd/system/sysinit.target.wants/lvm2-monitor.service → /usr/lib/systemd/system/lvm2-monitor.service.',
    'Processing triggers for initramfs-tools (0.142ubuntu25.5) ...',
    'update-initramfs: Generating /boot/initrd.img-6.8.0-60-generic',
  ],
};

export const installing: RunStatus = run({
  plan: null,
  phases: phases({
    name: 'node-preparation',
    state: 'running',
    steps: [
      {
        name: 'preparation.install-packages',
        state: 'running',
        summary: 'packages that the phases need',
        startedAt: at('14:26:00'),
        seconds: null,
        facts: null,
      },
    ],
  }),
});
