import { assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atEveryWidth, golden, type Render, WIDTHS } from '../../../test/golden/golden.js';
import { preview } from '../../../test/golden/preview.js';
import {
  approval,
  at,
  atGate,
  decommissionPlan,
  endings,
  fellBack,
  installing,
  listed,
  noWorker,
  output,
  phases,
  plan,
  kernelPlan,
  provenPlan,
  question,
  run,
  view,
  waiting,
} from '../../../test/golden/runs.js';
import { asProvisioned, drifted, heldByRun, rebootedMeanwhile } from '../../../test/golden/verify.js';
import type { RebootPlan } from '../boot/plan.js';
import { diskQuestion } from '../cluster/disks.js';
import { decommissionQuestion } from '../decommission.js';
import type { PlanPreview } from '../preflight.js';
import type { PhaseStatus, RunStatus } from '../run/messages.js';
import type { Contact, RunView } from '../run/view.js';
import { currentDetails } from './current-details.js';
import { renderDryRun } from './dry-run.js';
import { eventJson, eventLine } from './event-line.js';
import { renderGate } from './gate.js';
import { columns } from './plain.js';
import { renderList } from './list.js';
import { renderPreflight } from './preflight.js';
import { renderReceipt, renderRefusal } from './receipts.js';
import { renderSummary } from './summary.js';
import { renderSchedule, renderVerify } from './verify.js';
import { renderStatus, renderWatch } from './watch.js';

const server = { name: 'h100-01', serial: '5XKQ1P3', address: '192.0.2.11' };

const since = at('14:55:01');
const stuck: Contact = { kind: 'stuck', queue: 'provision', since };
const noTemporal: Contact = { kind: 'no-temporal', address: 'localhost:7233', since };
const parkedText = 'phase cozystack failed: 3 of 87 HelmReleases are not ready: linstor. Try again, or give it up?';
const stagingFailed = 'isolation.build-images: update-initramfs exited 1: No space left on device';

const converged: PlanPreview = {
  ...preview,
  checks: preview.checks.filter(({ severity }) => severity === 'ok'),
  changes: [],
  devices: preview.devices.map((device) => ({ ...device, driver: 'vfio-pci' })),
};

/** Nothing in it falls back, nothing was measured, and much would be stopped. */
const risky: RebootPlan = {
  ...plan,
  strategy: 'direct',
  bmc: { kind: 'ipmi', tested: false, console: false },
  workloads: { vms: ['tenant-a/db-0', 'tenant-b/web-1'], gpuProcesses: ['python3 (pid 4711)'], foreignPods: [] },
  earlierBootSeconds: [],
  cordonedAt: null,
};

const disks = run({
  phases: phases({ name: 'cozystack', state: 'waiting', summary: 'DISKS WAIT FOR APPROVAL: 1 for pool data' }),
  question: {
    ...question,
    id: 'disks',
    kind: 'disks',
    text: diskQuestion(
      {
        pool: 'data',
        backend: 'zfs',
        node: 'h100-01',
        disks: [
          {
            id: '/dev/disk/by-id/nvme-SAMSUNG_MZQL23T8HCLS-00A07_S64GNE0R100001',
            serial: 'S64GNE0R100001',
            model: 'SAMSUNG MZQL23T8HCLS-00A07',
            bytes: 3_840_755_982_336,
          },
        ],
        digest: question.digest,
      },
      'h100-01',
    ),
  },
});

const givingBack = run({
  purpose: 'decommission',
  plan: null,
  phases: phases({ name: 'gpu-isolation', state: 'waiting', summary: 'isolated and committed; WAITING FOR APPROVAL' }),
  question: {
    ...question,
    id: 'decommission',
    kind: 'decommission',
    text: decommissionQuestion(decommissionPlan, 'h100-01'),
  },
});

const rebooting = run({
  ...atGate,
  purpose: 'reboot',
  plan: provenPlan,
  phases: phases({ name: 'gpu-isolation', state: 'waiting', summary: 'isolated and committed; WAITING FOR APPROVAL' }),
});

const rebootFellBack = run({
  ...fellBack,
  purpose: 'reboot',
  plan: provenPlan,
  phases: phases({ name: 'gpu-isolation', state: 'running', summary: 'into a safe boot: reboot 1: fell-back' }),
});

const upgrading = run({ ...rebooting, purpose: 'upgrade-kernel', plan: kernelPlan });

const upgradeFellBack = run({ ...rebootFellBack, purpose: 'upgrade-kernel', plan: kernelPlan });

const parked = run({
  phases: phases({
    name: 'cozystack',
    state: 'waiting',
    summary: 'parked: 3 of 87 HelmReleases are not ready: linstor',
  }),
  question: { ...question, id: 'parked:cozystack', kind: 'parked', digest: '', expiresAt: null, text: parkedText },
});

const undoing = run({
  phases: phases({ name: 'gpu-isolation', state: 'running', summary: `undoing: ${stagingFailed}` }),
  failure: { type: 'CommandFailed', message: stagingFailed, phase: 'gpu-isolation', step: 'isolation.build-images' },
  events: [{ at: at('14:30:00'), phase: 'gpu-isolation', kind: 'undo', text: 'undo begins' }],
});

const verifying = run({
  ...waiting,
  reboot: {
    ...waiting.reboot!,
    outcome: { ...fellBack.reboot!.outcome!, kind: 'trial', evidence: 'token seen twice' },
  },
});

const refusedSignal = run({
  ...atGate,
  lastRefusal: 'approve: digest 0000-0000 is not the one being asked, 7f3a-91c2: review that plan.',
});

const watch =
  (status: RunStatus | null, time: string, change: Partial<RunView> = {}): Render =>
  (width) =>
    renderWatch(view(status, at(time), change), { keys: true, width });

const voided =
  'digest 7f3a-91c2 is void: the kernel changed from 6.8.0-60 to 6.8.0-62. New digest b20c-44e1: review it.';

const SCREENS: Readonly<Record<string, Render>> = {
  'dry-run-blocked': (width) => renderDryRun(preview, { width, allDiffs: false }),
  'dry-run-converged': (width) => renderDryRun(converged, { width, allDiffs: true }),
  'preflight-blocked': (width) => renderPreflight(preview, width),
  'gate-direct': (width) => renderGate(risky, question, { server, width, now: at('14:32:07'), keys: false }),
  'watch-output': watch(installing, '14:27:10', { output }),
  'watch-gate': watch(atGate, '14:32:07'),
  'watch-refused-signal': watch(refusedSignal, '14:32:07'),
  'watch-reboot-wait': watch(waiting, '14:48:47'),
  'watch-verifying': watch(verifying, '14:55:00'),
  'watch-fell-back': watch(fellBack, '15:23:57'),
  'watch-undo': watch(undoing, '14:32:00'),
  'watch-disks': watch(disks, '15:40:00'),
  'watch-decommission': watch(givingBack, '14:32:07'),
  'watch-reboot': watch(rebooting, '14:32:07'),
  'watch-reboot-fell-back': watch(rebootFellBack, '15:23:57'),
  'watch-upgrade': watch(upgrading, '14:32:07'),
  'watch-upgrade-fell-back': watch(upgradeFellBack, '15:23:57'),
  'watch-parked': watch(parked, '15:40:00'),
  'watch-no-worker': watch(waiting, '14:58:13', { contact: noWorker(since), statusAt: since }),
  'watch-never-seen': watch(null, '14:58:13', { contact: noWorker(null) }),
  'watch-stuck': watch(atGate, '14:58:13', { contact: stuck, statusAt: since }),
  'watch-no-temporal': watch(atGate, '14:58:13', { contact: noTemporal, statusAt: since }),
  'status-ended': (width) => renderStatus(view(endings['restored']![0], at('16:10:00'), { workflow: 'failed' }), width),
  'status-needs-hands': (width) => renderStatus(view(endings['needs-hands']![0], at('16:10:00')), width),
  ...Object.fromEntries(
    Object.entries(endings).map(([name, [status, workflow]]) => [
      `summary-${name}`,
      (width: number) => renderSummary(view(status, at('16:10:00'), { workflow }), width),
    ]),
  ),
  'summary-terminated': (width) => renderSummary(view(null, at('16:10:00'), { workflow: 'terminated' }), width),
  list: (width) => renderList(listed, at('16:10:00'), width),
  'verify-ok': (width) => renderVerify(asProvisioned, width),
  'verify-drift': (width) => renderVerify(drifted, width),
  'verify-busy': (width) => [...renderVerify(heldByRun, width), ...renderVerify(rebootedMeanwhile, width)],
  'verify-schedule': (width) =>
    renderSchedule('h100-01', { scheduleId: '', everySeconds: 86_400, next: at('00:00:00') }, width),
  receipts: (width) => [
    ...renderReceipt('h100-01', approval, at('14:40:03'), width),
    ...renderReceipt('h100-01', { ...approval, duplicate: true }, at('15:00:00'), width),
    ...renderReceipt('h100-01', { ...approval, gate: 'decommission#2' }, at('14:40:03'), width),
    ...renderReceipt('h100-01', { ...approval, choice: 'reject', reason: '' }, at('14:40:03'), width),
    ...renderRefusal(voided, width),
    ...renderRefusal('already decided: approved by op-a@ops1 at 14:40Z. Nothing to do.', width),
  ],
};

describe('what people see', () => {
  it.each(Object.entries(SCREENS))('is as in its golden file: %s', (name, render) => {
    const text = atEveryWidth(render);
    expect(text).toBe(golden(name, text));
  });

  it.each(Object.entries(SCREENS))('fits into every width: %s', (_, render) => {
    for (const width of WIDTHS) expect(render(width).filter((line) => columns(line) > width)).toEqual([]);
  });

  it('is the same gate in the current details of Temporal, without times that pass', () => {
    const details = currentDetails(atGate);
    expect(details).toBe(golden('current-details', details));
    expect(details).toContain('GATE reboot  digest 7f3a-91c2   expires Wed 25 Nov 14:31Z --');
    expect(details).not.toContain('23 h');
  });
});

describe('acceptance over all GPUs', () => {
  const lineOf = (lines: readonly string[]): string | undefined =>
    lines.find((text) => text.includes('8 acceptance'))?.trimEnd();

  it('is in the plan under a name of its own, however many jobs there are', () => {
    const job = { phase: 'acceptance', sign: '+', kind: 'object', what: 'Job default/x', diff: '' } as const;
    const what = 'temporary cluster over 4 GPUs, deleted afterwards';
    const changes = [job, { ...job, kind: 'cluster', what } as const, job, job];
    expect(lineOf(renderDryRun({ ...preview, changes }, { width: 140, allDiffs: false }))).toMatch(
      /^ {2}8 acceptance {4}\+ temporary cluster over 4 GPUs, deleted afterwards {3}\+ 3 objects {2,}job deleted afterwards$/,
    );
  });

  it.each([
    ['nested', '1/2 start the GPU job'],
    ['all', '3/5 start the GPU job'],
  ] as const)('%s: the steps are counted that such a run has', (acceptance, text) => {
    const name = 'acceptance.run-job';
    const step = {
      name,
      state: 'running',
      summary: 'start the GPU job',
      startedAt: at('12:00:00'),
      seconds: null,
      facts: null,
    };
    const running = phases({ name: 'acceptance', state: 'running', steps: [step] as PhaseStatus['steps'] });
    expect(lineOf(renderStatus(view(run({ acceptance, phases: running }), at('12:01:00')), 100))).toContain(text);
  });
});

describe('events without a terminal', () => {
  const gate = atGate.events[0]!;

  it('gives the gate with the command that approves it', () => {
    expect(eventLine(gate, atGate)).toBe(
      '2026-11-24T14:31:40Z h100-01 4/8 gpu-isolation gate=reboot digest=7f3a-91c2 ' +
        'approve="gpu-provision approve h100-01 --digest 7f3a-91c2"',
    );
  });

  it('gives the figures of a departure', () => {
    const left = waiting.events.at(-1)!;
    expect(eventLine(left, waiting)).toBe(
      '2026-11-24T14:41:10Z h100-01 4/8 gpu-isolation left after=65s reboot=1 next=look@15:15:05Z',
    );
  });

  it('does not say that an old gate can be approved', () => {
    expect(eventLine(gate, waiting)).toBe(`2026-11-24T14:31:40Z h100-01 4/8 gpu-isolation gate ${gate.text}`);
  });

  it('writes the same as JSON', () => {
    expect(JSON.parse(eventJson(gate, atGate))).toMatchObject({
      at: gate.at,
      server: 'h100-01',
      number: 4,
      phase: 'gpu-isolation',
      kind: 'gate',
      gate: 'reboot',
      digest: '7f3a-91c2',
    });
  });

  it('keeps an event on one line whatever the host said', () => {
    const hostile = { ...gate, kind: 'failure', text: 'first\nsecond\u001b[2J\u001b]0;title\u0007 third\r' };
    expect(eventLine(hostile, waiting)).toMatch(/failure first second\[2J\]0;title third ?$/);
  });
});

function hostileRuns(text: string): RunStatus[] {
  const failure = { type: 'BootFailed', message: text, phase: 'gpu-isolation', step: null } as const;
  return [
    run({ question: { ...question, text }, lastRefusal: text, plan: { ...plan, warnings: [text], stays: [text] } }),
    run({
      phases: phases({ name: 'gpu-isolation', state: 'running', summary: text }),
      reboot: { ...waiting.reboot!, bmc: text },
      events: [{ at: at('14:00:00'), phase: 'gpu-isolation', kind: 'rung', text }],
    }),
    run({ outcome: 'needs-hands', failure, instructions: [text], findings: [{ area: text, text }] }),
  ];
}

describe('whatever hosts and people write', () => {
  const hostile = string({ unit: 'binary', maxLength: 300 });

  it('no line is wider than asked, and none holds a control character', () => {
    assert(
      property(hostile, constantFrom(...WIDTHS), (text, width) => {
        for (const status of hostileRuns(text)) {
          for (const line of renderStatus(view(status, at('15:00:00')), width)) {
            expect(columns(line)).toBeLessThanOrEqual(width);
            expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('cannot end the code block of the current details', () => {
    assert(
      property(hostile, (text) => {
        for (const status of hostileRuns(`\`\`\`\n${text}`)) {
          const details = currentDetails(status);
          expect(details.slice(3, -3)).not.toContain('`');
          expect(details.startsWith('```\n')).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });
});
