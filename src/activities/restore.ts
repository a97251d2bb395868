/**
 * Phase 4, the way back: taking the host over from whatever still runs, and proving that it is as before.
 * @module
 */
import { GRUB_TRIAL_VARIABLE, HOOK_PATH, LAUNCHER_PATH } from '../domain/host-layout.js';
import { KNOWN_GOOD_TOKEN } from '../domain/boot/reboot.js';
import { leftovers } from '../domain/boot/initramfs.js';
import { ProvisionError } from '../ports/failure.js';
import { contextOf, reporting, type Adapters, type StepContext, type StepInput } from './define-step.js';
import { bootImages, inspectImage, readGrubEnvironment } from './host/boot.js';
import { archiveLedger, isUndoneByIsolation, readLedgerState } from './host/ledger.js';
import { readDevices } from './host/devices.js';
import type { LedgerEntry } from './host/remote-host.js';

export interface RestoredInput extends StepInput {
  /** Driver by address as preflight found it; what "native drivers as before" means. */
  readonly nativeDrivers: Readonly<Record<string, string | null>>;
  /** Whether a reboot took place since staging, so that the running boot must be the ordinary one. */
  readonly rebooted: boolean;
}

/** One line per area, for the final summary. */
export interface RestoredFacts {
  readonly files: number;
  readonly images: number;
  readonly drivers: Readonly<Record<string, string | null>>;
  readonly lines: readonly { readonly area: string; readonly text: string }[];
}

export interface RestoreActivities {
  /** With a raised epoch: fences older activities out and waits until no unit of the run is at work. */
  'restore.take-over'(input: StepInput): Promise<void>;
  'restore.verify'(input: RestoredInput): Promise<RestoredFacts>;
  'restore.close-ledger'(input: StepInput): Promise<void>;
  /** Gives the host back: another run may claim it. */
  'host.release'(input: StepInput): Promise<void>;
}

export function restoreActivities(adapters: Adapters): RestoreActivities {
  return {
    'restore.take-over': (input) =>
      reporting(async () => {
        const { host } = contextOf(adapters, input);
        await host.claim();
        await host.drainUnits();
      }),
    'restore.verify': (input) => reporting(() => verifyRestored(contextOf(adapters, input), input)),
    'restore.close-ledger': (input) =>
      reporting(async () => {
        const { host, run } = contextOf(adapters, input);
        if ((await readLedgerState(host)) !== null) await archiveLedger(host, run.id);
      }),
    'host.release': (input) => reporting(() => contextOf(adapters, input).host.release()),
  };
}

const same = (entry: LedgerEntry): boolean =>
  entry.original === null
    ? entry.current === null
    : entry.current?.sha256 === entry.original.sha256 && entry.current.stat === entry.original.stat;

async function verifyRestored(ctx: StepContext, input: RestoredInput): Promise<RestoredFacts> {
  const problems: string[] = [];
  const entries = (await ctx.host.ledger()).filter(isUndoneByIsolation);
  const images = entries.filter((e) => e.path.startsWith('/boot/initrd.img-'));
  const files = entries.filter((e) => !images.includes(e));
  for (const file of files.filter((e) => !same(e))) problems.push(`${file.path} is not as before`);

  let rebuilt = 0;
  for (const image of await bootImages(ctx.host)) {
    ctx.heartbeat(image);
    const entry = images.find((e) => e.path === image);
    if (entry !== undefined && same(entry)) continue;
    // Somebody else rebuilt it meanwhile: it can't be equal, but it must be clean.
    const found = leftovers(await inspectImage(ctx.host, image));
    if (found.length > 0) problems.push(`${image} holds the ${found.join(' and the ')}`);
    rebuilt += 1;
  }
  for (const path of [HOOK_PATH, LAUNCHER_PATH]) {
    if (!files.some((e) => e.path === path && e.original !== null) && (await ctx.host.exists(path))) {
      problems.push(`${path} is still there`);
    }
  }
  if ((await readGrubEnvironment(ctx.host)).has(GRUB_TRIAL_VARIABLE))
    problems.push('a trial is still armed in grubenv');

  const boot = await ctx.host.bootReading();
  const words = boot.commandLine.split(/\s+/);
  if (words.some((w) => w.startsWith('gpu-provision.trial='))) problems.push('the host still runs the trial boot');
  if (input.rebooted && words.includes(KNOWN_GOOD_TOKEN))
    problems.push('the host still runs the known-good entry, not its own default');

  const devices = await readDevices(ctx);
  const drivers: Record<string, string | null> = {};
  for (const [address, before] of Object.entries(input.nativeDrivers)) {
    const now = devices.find((d) => d.address === address)?.driver ?? null;
    drivers[address] = now;
    if (now !== before)
      problems.push(`${address} is on ${now ?? 'no driver'}, before it was on ${before ?? 'no driver'}`);
  }
  if (problems.length > 0) throw new ProvisionError('RestoreNotVerified', problems.join('; '), { problems });

  const count = Object.keys(drivers).length;
  return {
    files: files.length,
    images: images.length,
    drivers,
    lines: [
      {
        area: 'now',
        text: `native drivers ${count}/${count}; default entry as before; ${files.length} files and ${images.length - rebuilt} images equal by sha`,
      },
    ],
  };
}
