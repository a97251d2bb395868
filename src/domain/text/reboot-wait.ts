/**
 * What `watch` shows between the reboot and its outcome, and when the outcome is bad.
 * @module
 */
import { UNDO_ALLOWANCE } from '../boot/plan.js';
import type { RebootStatus, RungStatus, RunPurpose, RunStatus } from '../run/messages.js';
import { trialFailed } from './boot-state.js';
import { hang, packed } from './layout.js';
import { clock, minuteOf, minutes, secondsBetween, stopwatch } from './times.js';
import { count } from './words.js';

/** Events under the phase's line: enough for approval, reboot, departure and two rungs. */
const EVENTS_SHOWN = 5;
const STORY = new Set(['decision', 'reboot', 'left', 'back', 'rung', 'drift', 'undo']);
const BAR_COLUMNS = 46;
/** Where on the bar a usual boot ends: a little room shows that it may take longer. */
const USUAL_SHARE = 0.8;

export function renderRebootWait(status: RunStatus, now: string | null, width: number): string[] {
  const { reboot } = status;
  if (reboot === null) return [];
  return [
    ...story(status, width),
    ...(reboot.bmc === null ? [] : entry('now', `BMC ${reboot.bmc}`, width, '      ')),
    ...(now === null ? [] : progress(reboot, now, width)),
    ...ladder(status, reboot, width),
    ...fallsBack(status, reboot, width),
    ...entry('you', 'nothing to do. Ctrl-C leaves, the run goes on.', width),
  ];
}

/** Phase 4 failed, and its undo runs. */
export function renderUndo(status: RunStatus, width: number): string[] {
  const { reboot, plan, counts, failure } = status;
  const why = trialFailed(status) ? reboot?.outcome?.evidence : failure?.message;
  const images = plan === null ? 'the images' : count(plan.imagesRebuilt, 'image');
  const allowed = plan?.allows.reboots ?? UNDO_ALLOWANCE.reboots;
  const used = `(${counts.undoReboots} of ${allowed} used)`;
  const undo = `undo without your help: remove hook, restore ${images}, 1 reboot if a changed boot runs ${used}`;
  const intoKnownGood = `into known-good without your help, 1 reboot if a boot runs that is not proven ${used}`;
  const after: Readonly<Record<RunPurpose, string>> = {
    reboot: `${intoKnownGood}; then you are asked`,
    'upgrade-kernel': `${intoKnownGood}; then kernel ${plan?.upgrade?.to ?? ''} is removed, and 1 reboot into the entry that was proven`,
    decommission: undo,
  };
  const next = status.purpose === undefined ? undo : after[status.purpose];
  return [
    ...entry('why', why ?? '', width, '      '),
    ...entry('next', next, width, '      '),
    ...story(status, width),
  ];
}

function story(status: RunStatus, width: number): string[] {
  return status.events
    .filter((event) => event.phase === 'gpu-isolation' && STORY.has(event.kind))
    .slice(-EVENTS_SHOWN)
    .flatMap((event) => hang(`      ${clock(event.at).slice(0, 8)}  `, event.text, width));
}

function entry(label: string, text: string, width: number, indent = '   '): string[] {
  return hang(`${indent}${label.padEnd(indent.length === 3 ? 8 : 9)} `, text, width);
}

/** The bar's end is a little after a usual boot; a boot that takes longer is shown against the alarm. */
function progress(reboot: RebootStatus, now: string, width: number): string[] {
  const asked = reboot.requestedAt;
  if (asked === null) return [];
  const elapsed = secondsBetween(asked, now);
  const alarm = reboot.ladder.find(({ rung, state }) => rung !== 'wait' && state !== 'unavailable');
  const alarmSeconds = alarm === undefined ? null : secondsBetween(asked, alarm.at);
  const alarmText = alarmSeconds === null ? '' : `alarm ${stopwatch(alarmSeconds)}`;
  const usual = reboot.usualSeconds;
  if (usual === null) {
    return entry('usual', `${stopwatch(elapsed)}; how long a boot takes here is unknown, ${alarmText}`, width);
  }
  const figures = `  ${stopwatch(elapsed)} of about ${minutes(usual)}, ${alarmText}`;
  const room = Math.min(BAR_COLUMNS, width - '   usual    []'.length - figures.length);
  const end = elapsed <= usual / USUAL_SHARE ? usual / USUAL_SHARE : Math.max(alarmSeconds ?? 0, elapsed);
  return [`   usual    [${bar(elapsed / end, usual / end, room)}]${figures}`];
}

function bar(filled: number, mark: number, width: number): string {
  const at = Math.min(width - 1, Math.round(mark * width));
  const full = Math.round(filled * width);
  return Array.from({ length: width }, (_, i) => (i === at ? '|' : i < full ? '#' : '.')).join('');
}

const RUNG_WORDS: Readonly<Record<RungStatus['rung'], string>> = {
  wait: 'wait',
  look: 'look',
  graceful: 'graceful',
  'power-cycle': 'power cycle',
  person: 'person',
};

/** From the rung that is taken now to the last. */
function ladder(status: RunStatus, reboot: RebootStatus, width: number): string[] {
  const cycles = ` (${status.counts.powerCycles} of ${status.plan?.allows.powerCycles ?? UNDO_ALLOWANCE.powerCycles})`;
  const rungs = reboot.ladder
    .filter(({ state }) => state === 'now' || state === 'next')
    .map(({ rung, state, at }) => {
      const time = state === 'now' ? '' : ` ${minuteOf(at).slice(0, 5)}`;
      return `${RUNG_WORDS[rung]}${time}${rung === 'power-cycle' ? cycles : ''}`;
    });
  if (rungs.length === 0) return [];
  const steps = rungs.map((text, i) => (i === 0 ? text : `-> ${text}`));
  return packed(steps, '   ladder   ', width, ' ');
}

function fallsBack({ plan }: RunStatus, reboot: RebootStatus, width: number): string[] {
  if (plan === null || reboot.purpose !== 'forward' || plan.strategy !== 'known-good') return [];
  const text = `falls back by itself ${minutes(plan.deadManSeconds)} after it boots unless confirmed`;
  return entry('host', text, width);
}
