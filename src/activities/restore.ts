/**
 * Phase 4, the way back: taking the host over from whatever still runs, and proving that it is as before.
 * @module
 */
import { isOurs, renderOrdinaryOnce, type BootedCopy } from '../domain/boot/custom-cfg.js';
import { parseGrubConfig, type MenuEntry } from '../domain/boot/grub-config.js';
import { leftovers } from '../domain/boot/initramfs.js';
import { KNOWN_GOOD_TOKEN } from '../domain/boot/reboot.js';
import {
  GRUB_CFG,
  GRUB_CUSTOM_CFG,
  GRUB_TRIAL_VARIABLE,
  HOOK_PATH,
  KNOWN_GOOD_DIR,
  LAUNCHER_PATH,
  unitPattern,
} from '../domain/host-layout.js';
import type { WithArtifacts } from '../domain/run/artifacts.js';
import { COPY, onHost } from '../domain/preparation/known-good.js';
import { ProvisionError } from '../ports/failure.js';
import { contextOf, reporting, type Adapters, type StepContext, type StepInput } from './define-step.js';
import {
  bootImages,
  generatedDefault,
  inspectImage,
  isImage,
  readGrubEnvironment,
  setTrialOrder,
} from './host/boot.js';
import { readDevices } from './host/devices.js';
import { keepBootJournals } from './host/boot-journals.js';
import { bootedCopy, currentCopy, undamagedCopy } from './host/known-good-copy.js';
import { checkCustomCfgIsRead, checkGrubScript } from './host/known-good-default.js';
import {
  archiveLedger,
  changedSince,
  isUndoneByIsolation,
  readIsolated,
  readLedgerState,
  readOriginal,
} from './host/ledger.js';
import { postNotice, takeDownNotice } from './host/notice.js';
import type { LedgerEntry, RemoteHost } from './host/remote-host.js';

export interface TakeOverInput extends StepInput {
  /** Boot that ran while staging; null when nothing was staged in this run. */
  readonly stagedIn: string | null;
}

export interface RestoredInput extends StepInput {
  /** Driver by address as preflight found it; what "native drivers as before" means. */
  readonly nativeDrivers: Readonly<Record<string, string | null>>;
  /** Whether a reboot took place since staging, so that the running boot must be the ordinary one. */
  readonly rebooted: boolean;
  /** Before custom.cfg is taken away: it still makes known-good the default, and so is not as before. */
  readonly customCfgStays?: boolean;
}

export interface TakenOver extends WithArtifacts {
  /** The ledger is the one with which an earlier run committed: this run has not begun to stage. */
  readonly committed?: boolean;
}

/** What is known of an undo reboot that ended in known-good. */
export interface FellBack {
  /** GRUB has consumed the order: the ordinary entry was tried. */
  readonly tried: boolean;
  /** Why, as far as it can be seen from known-good. */
  readonly reason: string;
}

/** One line per area, for the final summary. */
export interface RestoredFacts {
  readonly files: number;
  readonly images: number;
  readonly drivers: Readonly<Record<string, string | null>>;
  readonly lines: readonly { readonly area: string; readonly text: string }[];
}

export interface RestoreActivities {
  /** With a raised epoch: fences older activities out and waits until no unit of the run is at work. Then keeps what failed boots have said. */
  'restore.take-over'(input: TakeOverInput): Promise<TakenOver>;
  /** Publishes a custom.cfg whose one-shot is the host's own default, and whose default is known-good. */
  'restore.publish-ordinary-once'(input: StepInput): Promise<string>;
  /** Disarms after an undo reboot, whichever boot it ended in. */
  'restore.disarm'(input: StepInput): Promise<FellBack>;
  'restore.verify'(input: RestoredInput): Promise<RestoredFacts>;
  'restore.close-ledger'(input: StepInput): Promise<void>;
  /**
   * Gives the host back when no unit of the run is at work any more, as after a cancel: another run may claim it. Says what people should
   * know that could not be taken away.
   */
  'host.release'(input: StepInput): Promise<string | undefined>;
}

export function restoreActivities(adapters: Adapters): RestoreActivities {
  return {
    'restore.take-over': (input) =>
      reporting(async () => {
        const ctx = contextOf(adapters, input);
        const { host, evidence } = ctx;
        return evidence.with(async () => {
          await host.claim();
          await host.drainUnits();
          await postNotice(ctx, 'takes back what it did');
          if (input.stagedIn !== null) await keepBootJournals(host, evidence, input.stagedIn);
          return { committed: (await readLedgerState(host))?.state === 'committed' };
        });
      }),
    'restore.publish-ordinary-once': (input) => reporting(() => publishOrdinaryOnce(contextOf(adapters, input))),
    'restore.disarm': (input) => reporting(() => disarm(contextOf(adapters, input))),
    'restore.verify': (input) => reporting(() => verifyRestored(contextOf(adapters, input), input)),
    'restore.close-ledger': (input) =>
      reporting(async () => {
        const ctx = contextOf(adapters, input);
        if ((await readLedgerState(ctx.host)) !== null) await archiveLedger(ctx.host, ctx.run.id);
        await postNotice(ctx, 'restored: the host is verified to be as before');
      }),
    'host.release': (input) =>
      reporting(async () => {
        const ctx = contextOf(adapters, input);
        await ctx.host.drainUnits(unitPattern(ctx.run.id));
        // A claim that was cut off may have had no effect.
        const isHeld = (await ctx.host.holder()) === ctx.run.id;
        const left = isHeld ? await takeDownNotice(ctx, 'gives this host back') : undefined;
        await ctx.host.release();
        return left;
      }),
  };
}

async function publishOrdinaryOnce(ctx: StepContext): Promise<string> {
  const { host } = ctx;
  // An order that an interrupted arm left must not find the new menu.
  await setTrialOrder(host, '');
  const entry = await generatedDefault(host);
  const copy = await undamagedCopy(host);
  if (copy === null)
    throw new ProvisionError('RestoreNotVerified', `the known-good copy in ${KNOWN_GOOD_DIR} is damaged`);
  const booted = await bootedCopy(host, copy);
  await assertSameKernel(host, entry, booted, copy.files.get(COPY.kernel) ?? '');
  const original = await readOriginal(host, GRUB_CUSTOM_CFG);
  const content = renderOrdinaryOnce({
    runId: ctx.run.id,
    booted,
    // What an earlier run left there is the known-good entry, and that is in this one.
    before: original === null || isOurs(original) ? '' : original,
  });
  await host.writeFile({ path: GRUB_CUSTOM_CFG, content, mode: '644' }, 'isolation.publish-known-good-default');
  await checkGrubScript(host);
  await checkCustomCfgIsRead(ctx);
  await postNotice(ctx, 'the ordinary default is staged');
  return `the next boot that is armed is "${entry.title}", every other one known-good`;
}

/**
 * The kernel of the ordinary default, where it is the one that booted by its name, must be it by its content too. GRUB 2.06 waits at its
 * menu when it can't load a damaged one (seen), and then only a power cycle helps; in known-good the host can be reached.
 */
async function assertSameKernel(
  host: RemoteHost,
  ordinary: MenuEntry,
  booted: BootedCopy,
  hash: string,
): Promise<void> {
  const path = onHost(ordinary.linux);
  if (path !== onHost(booted.entry.linux) || (await host.hashFiles([path])).get(path) === hash) return;
  throw new ProvisionError(
    'RestoreNotVerified',
    `${path} is not the kernel that booted: put it back, ${booted.kernel} is a copy, or reinstall its package. The host was not rebooted`,
  );
}

async function disarm(ctx: StepContext): Promise<FellBack> {
  const { host } = ctx;
  const tried = ((await readGrubEnvironment(host)).get(GRUB_TRIAL_VARIABLE) ?? '') === '';
  await setTrialOrder(host, '');
  await postNotice(ctx, 'disarmed');
  if (!tried) return { tried, reason: 'GRUB did not consume the order, so the ordinary entry was not tried' };
  const changed = await changedSinceItBooted(host);
  const files = changed.length > 0 ? `: not what booted before: ${changed.join(', ')}` : '';
  return { tried, reason: `the ordinary entry was tried and did not come up${files}` };
}

/** Files of the generated default whose content is in no known-good copy: a damaged kernel, an image that somebody rebuilt. */
async function changedSinceItBooted(host: RemoteHost): Promise<readonly string[]> {
  const entry = await generatedDefault(host);
  const known = new Set((await currentCopy(host))?.files.values());
  const hashes = await host.hashFiles([entry.linux, ...entry.initrds].map(onHost));
  return [...hashes].flatMap(([path, hash]) => (hash !== null && known.has(hash) ? [] : [path]));
}

const same = (entry: LedgerEntry): boolean =>
  entry.original === null
    ? entry.current === null
    : entry.current?.sha256 === entry.original.sha256 && entry.current.stat === entry.original.stat;

/** Whether the host had the argument before phase 4 added it. */
async function hadIommu({ host }: StepContext): Promise<boolean> {
  const config = parseGrubConfig((await readOriginal(host, GRUB_CFG)) ?? '');
  return config.entries.some(({ args }) => args.includes('iommu=pt'));
}

async function verifyRestored(ctx: StepContext, input: RestoredInput): Promise<RestoredFacts> {
  const problems: string[] = [];
  const ledger = await ctx.host.ledger();
  const entries = ledger.filter(isUndoneByIsolation);
  const images = entries.filter((e) => isImage(e.path));
  const files = entries.filter((e) => !images.includes(e));
  const expected = files.filter((e) => !(input.customCfgStays === true && e.path === GRUB_CUSTOM_CFG));
  const regenerated = changedSince(await readIsolated(ctx.host), ledger).includes(GRUB_CFG);
  const differing = expected.filter((e) => !same(e) && !(regenerated && e.path === GRUB_CFG));
  for (const file of differing) problems.push(`${file.path} is not as before`);
  // Made anew, since somebody had made it anew: what counts is that it has lost what phase 4 added.
  if (regenerated && (await generatedDefault(ctx.host)).args.includes('iommu=pt') && !(await hadIommu(ctx)))
    problems.push(`the default entry of ${GRUB_CFG} still has iommu=pt`);

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
        text: `native drivers ${count}/${count}; default entry ${regenerated ? 'of a new grub.cfg' : 'as before'}; ${files.length - (regenerated ? 1 : 0)} files and ${images.length - rebuilt} images equal by sha`,
      },
    ],
  };
}
