/**
 * `/boot/grub/custom.cfg`: sourced last by grub.cfg, needs no update-grub, and so decides. The default is an entry that has already
 * booted; anything else is entered once, and only if GRUB itself could consume the order.
 * @module
 */
import { GRUB_TRIAL_VARIABLE, KNOWN_GOOD_ENTRY, TRIAL_ENTRY } from '../host-layout.js';
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

/** What booted, and the copies of it. */
export interface BootedCopy {
  /** The entry that booted. */
  readonly entry: MenuEntry;
  /** Path on the host. */
  readonly kernel: string;
  /** Paths on the host, in the order GRUB loads them: microcode comes first. */
  readonly initrds: readonly string[];
}

export interface CustomCfg {
  readonly runId: string;
  readonly booted: BootedCopy;
  /** The generated entry to try; null before it is built. */
  readonly trial: MenuEntry | null;
  /** After commit the generated default counts again and known-good only stays in the menu. */
  readonly committed: boolean;
}

export function renderCustomCfg(cfg: CustomCfg): string {
  if (cfg.committed) return file(cfg.runId, [knownGoodEntry(cfg.booted)]);
  return file(cfg.runId, [
    ...KNOWN_GOOD_IS_DEFAULT,
    ...(cfg.trial === null ? [] : [once([`set default=${TRIAL_ENTRY}`])]),
    knownGoodEntry(cfg.booted),
    ...(cfg.trial === null ? [] : [trialEntry(cfg.trial, cfg.runId)]),
  ]);
}

export interface OrdinaryOnce {
  readonly runId: string;
  readonly booted: BootedCopy;
  /** Text of the custom.cfg that the host had before: what it sets and adds counts in the ordinary boot. Empty when there was none. */
  readonly before: string;
}

/** For the reboot that ends an undo: the host's own default, once; whatever happens there, the next boot is known-good again. */
export function renderOrdinaryOnce({ runId, booted, before }: OrdinaryOnce): string {
  return file(runId, [
    ...(before === '' ? [] : [before.trimEnd()]),
    // A number, an id, `submenu>entry` or a saved entry: whatever grub.cfg chose, taken as it is.
    `set ${ORDINARY_VARIABLE}="\${default}"`,
    ...KNOWN_GOOD_IS_DEFAULT,
    once([`set default="\${${ORDINARY_VARIABLE}}"`, `set fallback=${KNOWN_GOOD_ENTRY}`]),
    knownGoodEntry(booted),
  ]);
}

const file = (runId: string, parts: readonly string[]): string =>
  `${[`${WRITTEN_BY}, run ${runId}. Sourced last by grub.cfg.`, ...parts].join('\n')}\n`;

const WRITTEN_BY = '# Written by gpu-provision';
export const isOurs = (customCfg: string): boolean => customCfg.startsWith(WRITTEN_BY);
/** The run that wrote it, or null when it is not ours. */
export const writtenByRun = (customCfg: string): string | null =>
  isOurs(customCfg) ? (/, run (\S+)\. /.exec(customCfg)?.[1] ?? null) : null;

const ORDINARY_VARIABLE = 'gp_ordinary';

/** What GRUB would do now: `known-good-*` boots known-good, `*-once` that entry once and known-good from then on. */
export type NextBoot =
  | 'own-default'
  | 'proven'
  | 'known-good'
  | 'known-good-trial-staged'
  | 'known-good-ordinary-staged'
  | 'trial-once'
  | 'ordinary-once';

/**
 * @param customCfg Text of custom.cfg, null when there is none.
 * @param armed Whether GRUB's variable for the one-shot is set.
 */
export function nextBoot(customCfg: string | null, armed: boolean): NextBoot {
  if (customCfg === null || !isOurs(customCfg)) return 'own-default';
  const lines = customCfg.split('\n').map((line) => line.trim());
  if (!lines.includes(`set default=${KNOWN_GOOD_ENTRY}`)) return 'proven';
  if (lines.includes(`set default=${TRIAL_ENTRY}`)) return armed ? 'trial-once' : 'known-good-trial-staged';
  if (lines.includes(`set default="\${${ORDINARY_VARIABLE}}"`))
    return armed ? 'ordinary-once' : 'known-good-ordinary-staged';
  return 'known-good';
}

/**
 * The fallback is for a copy that GRUB can't load: without one it waits at its menu for ever. It is the first entry of the menu, by
 * number, since GRUB 2.06 takes nothing else there. GRUB 2.12 also takes ids, as the undo's reboot uses; 2.06 ignores those.
 */
const KNOWN_GOOD_IS_DEFAULT = [`set default=${KNOWN_GOOD_ENTRY}`, 'set timeout=3', 'set fallback=0'];

/**
 * GRUB consumes the order before it obeys: it clears the variable, writes, reads back, and only then takes the other entry. On a disk
 * it cannot write the order is ignored, so nothing can repeat. `boot_once` and `next_entry` are not used: Ubuntu's initrdfail block
 * and a saved entry can set them without us.
 */
const once = (commands: readonly string[]): string => `load_env ${GRUB_TRIAL_VARIABLE}
if [ "\${${GRUB_TRIAL_VARIABLE}}" ]; then
  set ${GRUB_TRIAL_VARIABLE}=
  if save_env ${GRUB_TRIAL_VARIABLE}; then
    set ${GRUB_TRIAL_VARIABLE}=x
    load_env ${GRUB_TRIAL_VARIABLE}
    if [ -z "\${${GRUB_TRIAL_VARIABLE}}" ]; then
${commands.map((command) => `      ${command}`).join('\n')}
    fi
  fi
fi`;

/**
 * Looks before it loads: a kernel whose initrd then fails is booted all the same, without one, panics, and would do so for ever. With
 * nothing loaded GRUB takes the fallback.
 */
function knownGoodEntry({ entry, kernel, initrds }: BootedCopy): string {
  const args = [...withoutOurs(entry.args), KNOWN_GOOD_TOKEN, `panic=${PANIC_SECONDS}`];
  const [linux = '', ...images] = [kernel, ...initrds].map((path) => asGrubSees(path, entry));
  return `menuentry 'gpu-provision known-good' --id ${KNOWN_GOOD_ENTRY} {
${indented(entry.preamble)}
  if [ ${[linux, ...images].map((path) => `-s ${path}`).join(' -a ')} ]; then
    linux ${linux} ${asGrubWords(args).join(' ')}
    initrd ${images.join(' ')}
  fi
}`;
}

/** GRUB would wait at its menu for a kernel that it can't load, and boot one without an image that it can't; so it reboots, into known-good. */
function trialEntry(trial: MenuEntry, runId: string): string {
  const args = [...withoutOurs(trial.args), ...trialArguments(runId)];
  return `menuentry 'gpu-provision trial' --id ${TRIAL_ENTRY} {
${indented(trial.preamble)}
  set gp_loaded=
  if linux ${trial.linux} ${args.join(' ')}; then
    if initrd ${trial.initrds.join(' ')}; then set gp_loaded=1; fi
  fi
  if [ -z "\${gp_loaded}" ]; then reboot; fi
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
