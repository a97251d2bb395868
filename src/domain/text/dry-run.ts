/**
 * What a run would do, before it is started.
 * @module
 */
import type { PlannedChange, PlanPreview } from '../preflight.js';
import { type Phase, PHASES } from '../run/phases.js';
import { code, flushRight, hang, packed, spread } from './layout.js';
import { columns } from './plain.js';
import { checksExit, checksInShort, checksVerdict, hostLines } from './preflight.js';
import { minutes } from './times.js';
import { addresses, count, driverMoves, list } from './words.js';

/** Files whose diff is shown unless all are asked for. */
const DIFFS_SHOWN = 2;

export interface DryRunOptions {
  readonly width: number;
  readonly allDiffs: boolean;
}

export function renderDryRun(plan: PlanPreview, { width, allDiffs }: DryRunOptions): string[] {
  return [
    ...head(plan, width),
    '',
    ...checksInShort(plan.checks, width),
    ...hang('  ', `(all ${plan.checks.length}: gpu-provision preflight ${plan.server})`, width),
    '',
    ...hang(
      'PLAN   ',
      asks(plan) ? '(the digest to approve exists only once the images are built and inspected)' : '',
      width,
    ),
    ...PHASES.filter(({ name }) => name !== 'preflight').flatMap((phase) => phaseRows(phase, plan, width)),
    ...diffs(plan.changes, allDiffs, width),
    '',
    ...spread(`${checksVerdict(plan.checks)} Nothing was changed.`, `exit ${checksExit(plan)}`, width),
  ];
}

function asks(plan: PlanPreview): boolean {
  return plan.changes.some(({ kind }) => kind === 'reboot');
}

function head(plan: PlanPreview, width: number): string[] {
  const { cluster, changes } = plan;
  const k3s = changes.some(({ phase }) => phase === 'k3s') ? 'a new k3s server' : 'its k3s server is there already';
  return [
    ...hostLines(plan, width),
    ...spread(`cluster   ${cluster}, first server: ${k3s}`, 'nothing is written by this command', width),
  ];
}

function phaseRows(phase: Phase, plan: PlanPreview, width: number): string[] {
  const changes = plan.changes.filter((change) => change.phase === phase.name);
  const prefix = `  ${phase.number} ${phase.title.split(' cluster')[0]?.padEnd(13) ?? ''} `;
  if (changes.length === 0) return [`${prefix}nothing to change`];
  const lines = packed(groups(changes), prefix, width);
  const last = lines.pop() ?? '';
  const further = ' '.repeat(prefix.length);
  return [
    ...lines,
    ...withFate(last, phase.fate, width),
    ...questions(changes, plan).flatMap((text) => hang(further, text, width)),
    ...(phase.name === 'gpu-isolation' ? devices(plan).flatMap((text) => hang(further, text, width)) : []),
  ];
}

function withFate(line: string, fate: string, width: number): string[] {
  return columns(line) + columns(fate) + 2 <= width ? spread(line, fate, width) : [line, flushRight(fate, width)];
}

type Countable = Exclude<PlannedChange['kind'], 'reboot' | 'disk'>;

/** In the order in which they are printed. */
const KINDS: readonly {
  readonly kind: Countable;
  readonly word: string;
  readonly name: 'alone' | 'counted' | 'never';
}[] = [
  { kind: 'package', word: 'package', name: 'alone' },
  { kind: 'file', word: 'file', name: 'never' },
  { kind: 'module', word: 'module', name: 'never' },
  { kind: 'image', word: 'boot image', name: 'counted' },
  { kind: 'service', word: 'service', name: 'counted' },
  { kind: 'cluster', word: 'temporary cluster', name: 'alone' },
  { kind: 'object', word: 'object', name: 'alone' },
];
const SIGNS = ['+', '~', '-'] as const;
/** More names than this of one kind are only counted. */
const NAMES_SHOWN = 2;

/** `+ 11 packages`, `~ 2 boot images (6.8.0-60, 6.8.0-58)`, `~ Package cozystack.kubevirt`. */
function groups(changes: readonly PlannedChange[]): string[] {
  return KINDS.flatMap(({ kind, word, name }) =>
    SIGNS.flatMap((sign) => {
      const names = changes.filter((change) => change.kind === kind && change.sign === sign).map(({ what }) => what);
      if (names.length === 0) return [];
      const few = names.length <= NAMES_SHOWN;
      if (few && name === 'alone') return names.map((what) => `${sign} ${what}`);
      return [`${sign} ${count(names.length, word)}${few && name === 'counted' ? ` (${names.join(', ')})` : ''}`];
    }),
  );
}

/** What is asked before it is done. */
function questions(changes: readonly PlannedChange[], plan: PlanPreview): string[] {
  const reboots = changes.filter(({ kind }) => kind === 'reboot').length;
  const disks = changes.filter(({ kind }) => kind === 'disk').map(({ what }) => what);
  const away = plan.usualBootSeconds === null ? 'for how long is unknown' : `about ${minutes(plan.usualBootSeconds)}`;
  return [
    ...(reboots === 0 ? [] : [`** ${count(reboots, 'REBOOT')}, asks first, ${away} without this host **`]),
    ...(disks.length === 0 ? [] : [`** ${count(disks.length, 'DISK', 'DISKS')}, asks first **  ${list(disks, 4)}`]),
  ];
}

function devices(plan: PlanPreview): string[] {
  const isolated = plan.devices.filter(({ driver }) => driver === 'vfio-pci').length;
  const moves = driverMoves(plan.devices).map(({ driver, devices: group }) => {
    const numbers = group.map(({ iommuGroup }) => iommuGroup);
    const iommu = numbers.includes(null) ? 'IOMMU groups unknown' : count(new Set(numbers).size, 'IOMMU group');
    const which = addresses(group.map(({ address }) => address));
    return `${driver} -> vfio-pci: ${which} (${group.length} of ${plan.devices.length}, ${iommu})`;
  });
  return isolated === 0 ? moves : [...moves, `${isolated} of ${plan.devices.length} on vfio-pci already`];
}

const SIGN_WORDS: Readonly<Record<PlannedChange['sign'], string>> = { '+': ' (new)', '~': '', '-': ' (removed)' };

function diffs(changes: readonly PlannedChange[], all: boolean, width: number): string[] {
  const files = changes.filter(({ diff }) => diff !== '');
  const shown = all ? files : files.slice(0, DIFFS_SHOWN);
  const lines = shown.flatMap((file) => [
    ...code(`--- ${file.what}${SIGN_WORDS[file.sign]}`, '  ', width),
    ...code(body(file.diff), '  ', width),
  ]);
  const more = files.length - shown.length;
  if (more > 0) lines.push(`  ... ${count(more, 'more file')}: --diff all`);
  return lines.length === 0 ? [] : ['', ...lines];
}

/** A unified diff without its own header and positions. */
function body(diff: string): string {
  return diff
    .split('\n')
    .filter((line) => !/^(---|\+\+\+|@@)/.test(line))
    .join('\n')
    .trimEnd();
}
