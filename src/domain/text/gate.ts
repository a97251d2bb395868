/**
 * What a person reads before a decision. The same text is shown in `watch` and in Temporal's current details.
 * @module
 */
import { pinned } from '../boot/kernel-upgrade.js';
import type { PlannedDevice, RebootPlan } from '../boot/plan.js';
import { type Choice, type OpenQuestion, QUESTION_RULES } from '../run/questions.js';
import { count, driverMoves, gpuName, list } from './words.js';
import { columns, plain } from './plain.js';
import { hang, packed, spread } from './layout.js';
import { duration, median, minuteOf, minutes, moment, secondsBetween } from './times.js';

export interface GateServer {
  readonly name: string;
  readonly serial: string;
  readonly address: string;
}

export interface GateOptions {
  readonly server: GateServer;
  /** Columns. */
  readonly width: number;
  /** The reader's clock; null where the text stays on a page and "in 5 minutes" would become wrong. */
  readonly now: string | null;
  /** Whether the keys of the live view are named. */
  readonly keys: boolean;
}

/** The reboot gate. `plan` is what `question` asks about. */
export function renderGate(plan: RebootPlan, question: OpenQuestion, options: GateOptions): string[] {
  const { server, width, keys } = options;
  const direct = plan.strategy === 'direct';
  const lines = [
    ...rule(`GATE ${question.id}  digest ${question.digest}   ${deadline(question, options.now)}`, width),
    ...box(['WHAT'], what(plan, server), width),
    ...box(['CHANGES'], changes(plan), width, keys ? '[d] diff, with hashes' : ''),
    ...(plan.upgrade === undefined ? [] : box(['INSTALLS'], pinned(plan.upgrade.packages).join(' '), width)),
    ...box(['GPUS'], gpus(plan.devices), width),
    ...box(['STOPS'], stops(plan), width),
    ...box(['DOWN'], down(plan), width),
    ...box(['IF IT', 'FAILS'], direct ? failsDirect(plan) : fails(plan), width),
    ...box(['ALLOWS'], allows(plan), width),
    ...box(
      ['STAYS'],
      `${plan.boots === undefined ? 'after undo: ' : ''}${plan.stays.length === 0 ? 'nothing' : plan.stays.join('; ')}`,
      width,
    ),
    ...plan.warnings.flatMap((warning) => box(['WARNS'], warning, width)),
    ...box(
      ['VOID IF'],
      `boot id, kernel, ${plan.upgrade === undefined ? 'staged files' : 'packages, files'}, default entry or workloads change before the reboot`,
      width,
    ),
    ...rule(keys ? '[a]pprove  [r]eject  [d]iff  [q] leave (the run goes on)' : '', width),
  ];
  const { id: gate, digest } = question;
  return [
    ...lines,
    ...hang('   elsewhere:  ', `gpu-provision approve ${server.name} --digest ${digest} --reason "..."`, width),
    // In one piece where it fits, so that it can be copied.
    ...packed(['Temporal UI, signal approve:', JSON.stringify({ gate, digest, reason: '...' })], '   ', width, '  '),
  ];
}

/** A question without a plan of its own in the status: disks, a parked phase, or a host that needs hands. */
export function renderQuestion(question: OpenQuestion, options: GateOptions): string[] {
  const { server, width, keys } = options;
  const choices = Object.entries(QUESTION_RULES[question.kind].choices) as [Choice, string][];
  const approved = question.digest !== '';
  const words: Readonly<Record<Choice, string>> = {
    approve: '[a]pprove',
    reject: approved ? '[r]eject' : '[g]ive up',
    resume: '[t]ry again',
  };
  const named = choices.map(([choice]) => words[choice]);
  const digest = approved ? `  digest ${question.digest}` : '';
  return [
    ...rule(`QUESTION ${question.id}${digest}   ${deadline(question, options.now)}`, width),
    ...box(['WHAT'], question.text, width),
    ...choices.flatMap(([choice, meaning]) => box([choice.toUpperCase()], meaning, width)),
    ...rule(keys ? `${named.join('  ')}  [q] leave (the run goes on)` : '', width),
    ...choices.flatMap(([choice], i) =>
      hang(
        i === 0 ? '   elsewhere:  ' : '               ',
        `gpu-provision ${choice} ${server.name} ${choice === 'approve' ? `--digest ${question.digest} ` : ''}${choice === 'resume' ? '--note' : '--reason'} "..."`,
        width,
      ),
    ),
  ];
}

function deadline(question: OpenQuestion, now: string | null): string {
  const { expiresAt } = question;
  if (expiresAt === null) return 'waits without limit';
  const left = now === null ? '' : ` (${duration(secondsBetween(now, expiresAt))})`;
  return `expires ${moment(expiresAt)}${left}`;
}

function what(plan: RebootPlan, server: GateServer): string {
  const who = `${server.name} (serial ${server.serial}, ${server.address})`;
  if (plan.boots === 'proven')
    return `${who} reboots into the entry that was proven. Known-good is the default until it is proven again.`;
  if (plan.upgrade !== undefined)
    return `${who} installs kernel ${plan.upgrade.to} beside ${plan.upgrade.from} and boots it once. Known-good is the default until it is proven.`;
  return plan.strategy === 'direct'
    ? `${who} reboots into a NEW image as its default entry. Strategy direct: there is no known-good entry.`
    : `${who} boots a NEW image once. Default entry unchanged.`;
}

function changes(plan: RebootPlan): string {
  const fresh = plan.files.filter((f) => f.action === 'new').length;
  const changed = plan.files.filter((f) => f.action === 'changed').length;
  if (plan.boots === 'proven')
    return `no file and no image: ${count(plan.files.length, 'file')}, ${count(plan.images.length, 'image')} as committed`;
  if (plan.upgrade !== undefined) {
    const kept = plan.files.filter((f) => f.action === 'kept').length;
    return `${count(plan.upgrade.packages.length, 'new package')}, 1 new image, a new grub.cfg; ${count(kept, 'file')}, ${count(plan.images.length, 'image')} as committed; ${commandLineChange(plan.commandLine.now, plan.commandLine.next)}`;
  }
  const parts = [
    fresh > 0 ? count(fresh, 'new file') : null,
    changed > 0 ? count(changed, 'changed file') : null,
    `${count(plan.imagesRebuilt, 'image')} rebuilt`,
    commandLineChange(plan.commandLine.now, plan.commandLine.next),
  ];
  return parts.filter((part) => part !== null).join(', ');
}

/** What GRUB adds by itself, and our own tokens, which name the run: nothing that a person could judge. */
const OWN_WORDS = /^(?:BOOT_IMAGE=|gpu-provision\.)/;

/** Which words the next command line gains and loses. */
function commandLineChange(now: string, next: string): string {
  const before = judgedWords(now);
  const after = judgedWords(next);
  const gained = after.filter((word) => !before.includes(word)).map((word) => `+ ${word}`);
  const lost = before.filter((word) => !after.includes(word)).map((word) => `- ${word}`);
  const change = [...gained, ...lost];
  return change.length === 0 ? 'cmdline unchanged' : `cmdline ${change.join(' ')}`;
}

function judgedWords(commandLine: string): string[] {
  return commandLine.split(/\s+/).filter((word) => word !== '' && !OWN_WORDS.test(word));
}

function gpus(devices: readonly PlannedDevice[]): string {
  const moving = devices.filter((device) => device.driver !== 'vfio-pci');
  const name = gpuName(devices[0]?.id ?? '');
  const moves = driverMoves(devices).map(({ driver, devices: group }, _, all) =>
    all.length === 1 ? `${driver} -> vfio-pci` : `${driver} -> vfio-pci (${group.length})`,
  );
  const how = moves.length === 0 ? 'on vfio-pci already' : moves.join(', ');
  return `${moving.length} of ${devices.length} ${name}: ${how}. The host itself will have no GPU. No NVLink in VMs.`;
}

function stops(plan: RebootPlan): string {
  const { vms, gpuProcesses, foreignPods } = plan.workloads;
  const node =
    plan.cordonedAt === null ? 'No node to cordon yet.' : `Node cordoned since ${minuteOf(plan.cordonedAt)}.`;
  return `${running(vms, 'VM')}, ${running(gpuProcesses, 'GPU process', 'GPU processes')}, ${running(foreignPods, 'foreign pod')}. ${node}`;
}

function running(names: readonly string[], one: string, many = `${one}s`): string {
  return names.length === 0 ? `0 ${many}` : `${count(names.length, one, many)} (${list(names, 5)})`;
}

function down(plan: RebootPlan): string {
  const usual = median(plan.earlierBootSeconds);
  const alarm = `alarm at ${minutes(plan.alarmSeconds)}`;
  if (usual === null) return `unknown: no earlier boot in the journal; ${alarm}`;
  const [from, to] = [Math.min(...plan.earlierBootSeconds), Math.max(...plan.earlierBootSeconds)].map(minutes);
  const range = from === to ? from : `${from?.replace(/ min$/, '')}-${to?.replace(/ min$/, '')}`;
  return `about ${minutes(usual)} (earlier boots ${range}); ${alarm}`;
}

const NEXT_BOOT: Readonly<Record<NonNullable<RebootPlan['boots']> | 'staged', string>> = {
  proven: 'known-good, with the GPUs on their native drivers, and you are asked',
  kernel:
    'known-good, with the GPUs on their native drivers; there the new kernel is removed, and the entry that was proven is booted as it was',
  staged: 'the one that runs now',
};
const MORE_REBOOTS: typeof NEXT_BOOT = {
  proven: 'to known-good, or for another try',
  kernel: 'to known-good, and back into the entry that was proven',
  staged: 'for undo only',
};

function fails(plan: RebootPlan): string {
  const bmc =
    plan.bmc.kind === 'none'
      ? 'else somebody must power-cycle it at the machine (no BMC)'
      : `else by one BMC power cycle (BMC ${plan.bmc.tested ? 'tested' : 'NOT tested'})`;
  return (
    `hangs, panics, loses its network, or the worker dies: the next boot is ${NEXT_BOOT[plan.boots ?? 'staged']}. ` +
    `By itself within ${minutes(plan.deadManSeconds)} of booting, ${bmc}.`
  );
}

function failsDirect(plan: RebootPlan): string {
  const bmc =
    plan.bmc.kind === 'none'
      ? 'at the machine (no BMC)'
      : `through the BMC (${plan.bmc.tested ? 'tested' : 'NOT tested'})`;
  return (
    `hangs, panics or loses its network: IT DOES NOT FALL BACK. Somebody must choose another kernel or take the hook out, ${bmc}. ` +
    `A host that answers is undone as usual.`
  );
}

function allows(plan: RebootPlan): string {
  const { reboots, powerCycles } = plan.allows;
  return `${MORE_REBOOTS[plan.boots ?? 'staged']}: ${count(reboots, 'more reboot')}, ${count(powerCycles, 'power cycle')}. Runs at once.`;
}

/** `+- text -----`; a text that is too long goes on in a line of its own. */
function rule(text: string, width: number): string[] {
  const line = plain(text).trim();
  if (line === '') return [`+${'-'.repeat(width - 1)}`];
  const head = `+- ${line} `;
  if (columns(head) + 3 <= width) return [head + '-'.repeat(width - columns(head))];
  return [`+${'-'.repeat(width - 1)}`, ...hang('|  ', line, width, '|  ')];
}

/** One row of the box: a label of one or two lines, and its text. */
function box(labels: readonly string[], text: string, width: number, right = ''): string[] {
  const [first = '', second = ''] = labels;
  const lines = hang(edge(first), text, width, edge(''));
  const head = lines[0] ?? '';
  // A hint, and only where there is room for it.
  if (right !== '' && lines.length === 1 && columns(head) + columns(right) + 2 <= width)
    return spread(head, right, width);
  if (second === '') return lines;
  const [, next = '', ...rest] = lines;
  return [head, `${edge(second)}${next.slice(edge('').length)}`.trimEnd(), ...rest];
}

const edge = (label: string): string => `| ${label.padEnd(8)} `;
