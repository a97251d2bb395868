/**
 * Phase 4, commit: the trial that was proven becomes the default. Forward only; each act durable and read back.
 * @module
 */
import { renderCustomCfg, withoutOurs } from '../domain/boot/custom-cfg.js';
import { comparableArguments, kernelArguments } from '../domain/boot/grub-config.js';
import { KNOWN_GOOD_TOKEN } from '../domain/boot/reboot.js';
import {
  CONFIRMED_PATH,
  DEAD_MAN_SCRIPT_PATH,
  DEAD_MAN_UNIT,
  DEAD_MAN_UNIT_PATH,
  GRUB_CFG,
  GRUB_CUSTOM_CFG,
} from '../domain/host-layout.js';
import { ProvisionError } from '../ports/failure.js';
import { setTimeout as delay } from 'node:timers/promises';
import { contextOf, reporting, type Adapters, type StepContext, type StepInput } from './define-step.js';
import { builtImages, NOTE_HELD, unmaskTimers } from './gpu-isolation.js';
import { readHeld } from './host/apt.js';
import { generatedDefault, imageOf, setTrialOrder } from './host/boot.js';
import { CONFIRM_BOOT } from './host/boot-scripts.js';
import { bootedCopy } from './host/known-good-copy.js';
import { checkGrubScript } from './host/known-good-default.js';
import {
  noteCommitted,
  noteCommittedAgain,
  noteUpgraded,
  readNote,
  writeLedgerState,
  writeNote,
} from './host/ledger.js';
import { postNotice } from './host/notice.js';
import { dropPending, pendingUpgrade } from './host/pending-upgrade.js';
import type { RemoteHost } from './host/remote-host.js';

/** The dead-man looks every few seconds; after this long it must have seen the confirmation. */
const DEAD_MAN_STOPS_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 500;

export interface CommitInput extends StepInput {
  /** The boot that was verified. Another one is never confirmed. */
  readonly bootId: string;
}

export interface CommitActivities {
  'commit.confirm-boot'(input: CommitInput): Promise<string>;
  'commit.check-default'(input: CommitInput): Promise<string>;
  'commit.make-default'(input: CommitInput): Promise<string>;
  'commit.close'(input: CommitInput): Promise<string>;
  /** Instead, on a host that was committed before: files, holds and ledger stay as they are. */
  'commit.close-reboot'(input: CommitInput): Promise<string>;
  /** The same where a newer kernel was installed: its image and the new grub.cfg are committed too, and it is held. */
  'commit.close-upgrade'(input: CommitInput): Promise<string>;
}

export function commitActivities(adapters: Adapters): CommitActivities {
  const activity = (body: (ctx: StepContext, input: CommitInput) => Promise<string>) => (input: CommitInput) =>
    reporting(() => body(contextOf(adapters, input), input));
  return {
    'commit.confirm-boot': activity(confirmBoot),
    'commit.check-default': activity(checkDefault),
    'commit.make-default': activity(makeDefault),
    'commit.close': activity(close),
    'commit.close-reboot': activity(closeReboot),
    'commit.close-upgrade': activity(closeUpgrade),
  };
}

async function confirmBoot(ctx: StepContext, input: CommitInput): Promise<string> {
  const out = await ctx.host.changeScript(CONFIRM_BOOT, [CONFIRMED_PATH, input.bootId]);
  if (out.trim() !== input.bootId)
    throw new ProvisionError('StepNotVerified', `${CONFIRMED_PATH} reads back as "${out.trim()}"`);
  const end = Date.now() + DEAD_MAN_STOPS_WITHIN_MS;
  for (;;) {
    const state = (await ctx.host.exec(['systemctl', 'is-active', DEAD_MAN_UNIT])).stdout.trim();
    // Only what it says plainly: no answer comes from a host that the dead-man is taking down.
    if (state === 'inactive' || state === 'failed') return `confirmed; the dead-man is ${state}`;
    if (Date.now() > end)
      throw new ProvisionError('StepNotVerified', `${DEAD_MAN_UNIT} is still ${state} after the confirmation`);
    await delay(LOOK_EVERY_MS, undefined, { signal: ctx.signal });
  }
}

/** The entry that becomes the default must be what was proven: this kernel, this image, this command line. */
async function checkDefault(ctx: StepContext, input: CommitInput): Promise<string> {
  const running = await ctx.host.bootReading();
  if (running.bootId !== input.bootId) {
    throw new ProvisionError('Drifted', `boot ${running.bootId} runs, ${input.bootId} was verified`);
  }
  const entry = await generatedDefault(ctx.host);
  const words = comparableArguments(running.commandLine);
  const image = words.find((word) => word.startsWith('BOOT_IMAGE='))?.slice('BOOT_IMAGE='.length);
  // What $vt_handoff becomes: left out of the generated arguments too.
  const proven = withoutOurs(
    words.filter((word) => !word.startsWith('BOOT_IMAGE=') && !word.startsWith('vt.handoff=')),
  );
  const generated = withoutOurs(kernelArguments(entry));
  if (image !== undefined && withoutDevice(image) !== withoutDevice(entry.linux)) {
    throw new ProvisionError('Drifted', `the default entry boots ${entry.linux}, proven was ${image}`);
  }
  if (proven.join(' ') !== generated.join(' ')) {
    throw new ProvisionError(
      'Drifted',
      `the default entry has "${generated.join(' ')}", proven was "${proven.join(' ')}"`,
    );
  }
  const built = await inspectedImages(ctx);
  const hashes = await ctx.host.hashFiles([...built.keys()]);
  for (const [path, hash] of built) {
    if (hashes.get(path) !== hash) throw new ProvisionError('Drifted', `${path} is not the image that was inspected`);
  }
  return `the default entry is ${entry.title}: kernel, image and command line as proven`;
}

/** By path: those that isolation built, and that of a kernel that is being installed. */
async function inspectedImages(ctx: StepContext): Promise<ReadonlyMap<string, string>> {
  const built = await builtImages(ctx);
  const pending = await pendingUpgrade(ctx.host);
  return pending === null || pending.image === null ? built : new Map([...built, [imageOf(pending.to), pending.image]]);
}

const withoutDevice = (path: string): string => path.replace(/^\([^)]*\)/, '');

async function makeDefault(ctx: StepContext, input: CommitInput): Promise<string> {
  if (ctx.spec.boot.strategy === 'direct') return 'direct strategy: the new image is the default already';
  const content = renderCustomCfg({
    runId: ctx.run.id,
    booted: await bootedCopy(ctx.host),
    trial: null,
    committed: true,
  });
  const file = { path: GRUB_CUSTOM_CFG, content, mode: '644' };
  // Once it is written, a host that rebooted since runs the proven entry. Until then it is back in known-good.
  const running = await ctx.host.bootReading();
  if (running.bootId !== input.bootId && !(await ctx.host.fileIs(file))) {
    throw new ProvisionError('Drifted', `boot ${running.bootId} runs, ${input.bootId} was verified`);
  }
  await setTrialOrder(ctx.host, '');
  await ctx.host.writeFile(file, 'commit.make-default');
  await checkGrubScript(ctx.host);
  await postNotice(ctx, 'the proven entry is the default');
  return 'the proven entry is the default; known-good stays in the menu';
}

async function close(ctx: StepContext): Promise<string> {
  await removeDeadMan(ctx.host, 'commit.close');
  await unmaskTimers(ctx);
  await noteCommitted(ctx.host);
  await writeLedgerState(ctx.host, { run: ctx.run.id, state: 'committed', at: new Date().toISOString() });
  await postNotice(ctx, 'committed');
  return 'committed';
}

type Verified = Pick<CommitInput, 'bootId'>;

async function closeReboot(ctx: StepContext, verified: Verified): Promise<string> {
  const { host } = ctx;
  await assertNotFallenBack(host, verified);
  await removeDeadMan(host, 'commit.close-reboot');
  // It names the run that wrote it, so it has another hash than before.
  await noteCommittedAgain(host, GRUB_CUSTOM_CFG);
  await postNotice(ctx, 'committed');
  return 'the dead-man is removed; every file is as it was committed';
}

/** A person may choose known-good at the console, whatever the default is. */
async function assertNotFallenBack(host: RemoteHost, { bootId }: Verified): Promise<void> {
  const running = await host.bootReading();
  if (running.bootId !== bootId && running.commandLine.split(/\s+/).includes(KNOWN_GOOD_TOKEN))
    throw new ProvisionError('Drifted', `boot ${running.bootId} runs, known-good; ${bootId} was verified`);
}

export async function closeUpgrade(ctx: StepContext, verified: Verified): Promise<string> {
  const { host } = ctx;
  const pending = await pendingUpgrade(host);
  if (pending !== null) {
    await assertNotFallenBack(host, verified);
    await noteUpgraded(host, [GRUB_CFG, imageOf(pending.to)]);
    const held = `linux-image-${pending.to}`;
    await writeNote(host, NOTE_HELD, [...new Set([...((await readNote(host, NOTE_HELD)) ?? []), held])]);
    await host.change(['apt-mark', 'hold', held]);
    if (!(await readHeld(ctx)).has(held)) throw new ProvisionError('StepNotVerified', `${held} is not held`);
  }
  await closeReboot(ctx, verified);
  // Last: until then another attempt does all of it again.
  await dropPending(host);
  return 'the new kernel, its image and grub.cfg are committed, and it is held; the dead-man is removed';
}

export async function removeDeadMan(host: RemoteHost, step: string): Promise<void> {
  if (await host.exists(DEAD_MAN_UNIT_PATH)) await host.change(['systemctl', 'disable', DEAD_MAN_UNIT]);
  for (const path of [DEAD_MAN_UNIT_PATH, DEAD_MAN_SCRIPT_PATH]) await host.removeFile(path, step);
  await host.change(['systemctl', 'daemon-reload']);
}
