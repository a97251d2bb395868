/**
 * `/boot/grub/custom.cfg`: sourced last by grub.cfg, needs no update-grub, and so decides. The default is an entry that has already
 * booted; the trial is entered once, and only if GRUB itself could consume the order.
 * @module
 */
import {
  GRUB_TRIAL_VARIABLE,
  KNOWN_GOOD_ENTRY,
  KNOWN_GOOD_INITRD,
  KNOWN_GOOD_KERNEL,
  TRIAL_ENTRY,
} from '../host-layout.js';
import type { MenuEntry } from './grub-config.js';
import { KNOWN_GOOD_TOKEN, trialToken } from './reboot.js';

/** Seconds before the kernel reboots after a panic; Linux' own default is to hang for ever. */
const PANIC_SECONDS = 30;

/** Arguments the trial adds; taken off again when the default entry is compared with the trial that was proven. */
export const trialArguments = (runId: string): readonly string[] => [
  trialToken(runId),
  `panic=${PANIC_SECONDS}`,
  'oops=panic',
];

export interface CustomCfg {
  readonly runId: string;
  /** The entry that booted, from which known-good is made. */
  readonly booted: MenuEntry;
  /** The generated entry to try; null before it is built. */
  readonly trial: MenuEntry | null;
  /** After commit the generated default counts again and known-good only stays in the menu. */
  readonly committed: boolean;
}

export function renderCustomCfg(cfg: CustomCfg): string {
  const parts = [
    `# Written by gpu-provision, run ${cfg.runId}. Sourced last by grub.cfg.`,
    ...(cfg.committed ? [] : [`set default=${KNOWN_GOOD_ENTRY}`, 'set timeout=3']),
    ...(cfg.trial === null || cfg.committed ? [] : [ONE_SHOT]),
    knownGoodEntry(cfg.booted),
    ...(cfg.trial === null || cfg.committed ? [] : [trialEntry(cfg.trial, cfg.runId)]),
  ];
  return `${parts.join('\n')}\n`;
}

/**
 * GRUB consumes the order before it obeys: it clears the variable, writes, reads back, and only then takes the trial. On a disk it
 * cannot write the order is ignored, so a trial can never repeat. `boot_once` and `next_entry` are not used: Ubuntu's initrdfail
 * block and a saved entry can set them without us.
 */
const ONE_SHOT = `load_env ${GRUB_TRIAL_VARIABLE}
if [ "\${${GRUB_TRIAL_VARIABLE}}" ]; then
  set ${GRUB_TRIAL_VARIABLE}=
  if save_env ${GRUB_TRIAL_VARIABLE}; then
    set ${GRUB_TRIAL_VARIABLE}=x
    load_env ${GRUB_TRIAL_VARIABLE}
    if [ -z "\${${GRUB_TRIAL_VARIABLE}}" ]; then set default=${TRIAL_ENTRY}; fi
  fi
fi`;

function knownGoodEntry(booted: MenuEntry): string {
  const args = [...withoutOurs(booted.args), KNOWN_GOOD_TOKEN, `panic=${PANIC_SECONDS}`];
  return `menuentry 'gpu-provision known-good' --id ${KNOWN_GOOD_ENTRY} {
${indented(booted.preamble)}
  linux ${asGrubSees(KNOWN_GOOD_KERNEL, booted)} ${asGrubWords(args).join(' ')}
  initrd ${asGrubSees(KNOWN_GOOD_INITRD, booted)}
}`;
}

/** A GRUB that can't load the kernel would wait at its menu for ever; so it reboots, into known-good. */
function trialEntry(trial: MenuEntry, runId: string): string {
  const args = [...withoutOurs(trial.args), ...trialArguments(runId)];
  return `menuentry 'gpu-provision trial' --id ${TRIAL_ENTRY} {
${indented(trial.preamble)}
  if linux ${trial.linux} ${args.join(' ')}; then
    initrd ${trial.initrds.join(' ')}
  else
    reboot
  fi
}`;
}

/** Arguments without anything this system adds, so that comparing and re-staging don't pile them up. */
export function withoutOurs(args: readonly string[]): readonly string[] {
  return args.filter(
    (arg) => !arg.startsWith('gpu-provision.') && arg !== `panic=${PANIC_SECONDS}` && arg !== 'oops=panic',
  );
}

/**
 * Arguments as the kernel got them, for GRUB's parser, which would expand `memmap=64K$0x1000` and end the command at `;`. Where GRUB
 * has quoted itself, as it does around blanks, the words read back as they are.
 */
function asGrubWords(args: readonly string[]): readonly string[] {
  if (args.some((arg) => /['"\\]/.test(arg))) return args;
  return args.map((arg) => (/[$;&|<>{}#]/.test(arg) ? `'${arg}'` : arg));
}

/** Where /boot is a file system of its own, GRUB's paths start there. */
function asGrubSees(path: string, entry: MenuEntry): string {
  return entry.linux.startsWith('/boot/') || entry.linux.includes('@/boot/') ? path : path.replace(/^\/boot/, '');
}

/** Without what writes to grubenv: `savedefault` would make a trial the saved default. */
function indented(lines: readonly string[]): string {
  return lines
    .filter((line) => line !== 'recordfail' && line !== 'savedefault')
    .map((line) => `  ${line}`)
    .join('\n');
}
