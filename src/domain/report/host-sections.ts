/**
 * What was found on the host and made of it, as parts of the page.
 * @module
 */
import type { RebootPlan } from '../boot/plan.js';
import { UNITS, type Measure } from '../cluster/acceptance.js';
import { at, listAt, textAt } from '../cluster/objects.js';
import type { TruthRow } from '../gpu/truth-table.js';
import type { RunStatus, StepStatus } from '../run/messages.js';
import { duration } from '../text/times.js';
import { badge, code, facts, html, list, output, table, type Content } from './html.js';
import { moment } from './run-sections.js';

export function plan(of: RebootPlan): Content {
  const { vms, gpuProcesses, foreignPods } = of.workloads;
  const { kind, tested } = of.bmc;
  return [
    facts([
      ['digest', html`<b>${of.digest}</b>`],
      ['complete digest', code(of.sha256)],
      ['strategy', of.strategy],
      ['kernel', of.upgrade === undefined ? of.kernel : `${of.upgrade.from} -> ${of.upgrade.to}`],
      ['default entry', of.defaultEntry],
      ['boot id', code(of.bootId)],
      ['usual boot', of.earlierBootSeconds.map(duration).join(', ')],
      ['alarm after', duration(of.alarmSeconds)],
      ['falls back after', duration(of.deadManSeconds)],
      ['BMC', kind === 'none' ? 'none' : `${kind}, ${tested ? 'tested' : 'NOT tested'}`],
      ['node cordoned', moment(of.cordonedAt)],
      ['undo may', `reboot ${of.allows.reboots} times, cycle the power ${of.allows.powerCycles} times`],
      ['stays after undo', of.stays.join('; ')],
      ['stops', [...vms, ...gpuProcesses, ...foreignPods].join('; ') || 'nothing'],
    ]),
    of.warnings.length === 0 ? null : [html`<h3>Warnings</h3>`, list(of.warnings)],
    output('Kernel command line before', of.commandLine.now),
    output('Kernel command line of the new boot', of.commandLine.next),
    table({
      caption: 'Files',
      head: ['path', 'change', 'SHA-256'],
      rows: of.files.map(({ path, action, sha256 }) => [code(path), action, code(sha256)]),
    }),
    table({
      caption: 'Boot images',
      head: ['path', 'kernel', 'SHA-256'],
      rows: of.images.map(({ path, kernel, sha256 }) => [code(path), kernel, code(sha256)]),
    }),
    of.upgrade === undefined
      ? null
      : table({
          caption: 'Packages of the new kernel',
          head: ['package', 'version'],
          rows: of.upgrade.packages.map(({ name, version }) => [code(name), version]),
        }),
    output('Difference of the files', of.diff),
  ];
}

/** How each GPU was, and what was found after the boot. */
export function devices({ baseline, plan: planned, devices: found }: RunStatus): Content {
  const rows = found?.rows ?? [];
  const names = [...new Set(rows.flatMap(({ cells }) => cells.map(({ fact }) => fact)))];
  const all = [
    ...new Set([
      ...Object.keys(baseline?.nativeDrivers ?? {}),
      ...(planned?.devices ?? []).map(({ address }) => address),
      ...rows.map(({ address }) => address),
    ]),
  ];
  return [
    table({
      caption: 'Before: as preflight and the plan found them',
      head: ['device', 'id', 'driver', 'IOMMU group', 'link width'],
      rows: all.map((address) => {
        const device = planned?.devices.find((one) => one.address === address);
        const driver = baseline === null ? device?.driver : baseline.nativeDrivers[address];
        const width = baseline?.linkWidths[address] ?? null;
        return [
          address,
          device?.id ?? '-',
          driver ?? '-',
          device?.iommuGroup ?? '-',
          width === null ? '-' : `x${width}`,
        ];
      }),
    }),
    found === null
      ? html`<p>No boot with isolated GPUs was looked at.</p>`
      : [
          html`<p>
            After the boot:
            ${found.ok ? badge('ok', 'every fact is as it should be') : badge('not ok', 'NOT as it should be')}
          </p>`,
          table({
            caption: 'After: one row for each planned device, one column for each fact',
            head: ['device', ...names, 'all'],
            rows: rows.map((row) => [
              row.address,
              ...names.map((name) => cell(row, name)),
              badge(row.ok ? 'ok' : 'not ok'),
            ]),
          }),
          list(found.problems),
          output('lspci of the NVIDIA devices after the boot', found.evidence),
        ],
  ];
}

function cell({ cells }: TruthRow, name: string): Content {
  const found = cells.find(({ fact }) => fact === name);
  if (found === undefined) return '-';
  return found.ok ? found.value : badge('not ok', `NOT ok: ${found.value}`);
}

const MEASURES = Object.entries(UNITS) as [Measure, (typeof UNITS)[Measure]][];

const figure = (value: unknown): Content => (typeof value === 'number' ? value : '-');

/** The figures of the GPU job, as its step reported them; nothing before it ran. */
export function acceptance({ phases }: RunStatus): Content {
  const step = phases.flatMap(({ steps }) => steps).find(({ name }) => name === 'acceptance.await-job');
  if (step === undefined) return html`<p>The GPU job did not run.</p>`;
  const gpus = listAt(step.facts, 'gpus');
  return [
    html`<p>${badge(step.state)} ${step.summary}</p>`,
    table({
      caption: 'Measured by the job on each GPU',
      head: ['GPU', 'model', ...MEASURES.map(([, { label, unit }]) => `${label}, ${unit}`), 'results'],
      rows: gpus.map((gpu) => [
        code(textAt(gpu, 'uuid')),
        textAt(gpu, 'name') ?? '-',
        ...MEASURES.map(([name]) => figure(at(gpu, name))),
        at(gpu, 'right') === true ? badge('ok', 'right') : badge('not ok', 'WRONG'),
      ]),
    }),
    facts(
      MEASURES.map(([name, { label, unit }]) => {
        const least = at(step.facts, 'minimums', 'least', name);
        return [`${label}, at least`, typeof least === 'number' ? `${least} ${unit}` : null];
      }),
    ),
  ];
}

/** What each step read back, or found instead. */
export function evidence({ phases }: RunStatus): Content {
  const steps = phases.flatMap((phase) => phase.steps);
  const said = steps.filter((step): step is StepStatus & { facts: object } => step.facts !== null);
  return said.length === 0
    ? html`<p>No step reported more than its result.</p>`
    : said.map(({ name, facts: found }) => output(name, JSON.stringify(found, null, 2)));
}
