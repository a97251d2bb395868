/**
 * Phase 4, staging: everything up to the question. No step here reboots, and a power cut between any two of them ends in the
 * known-good boot or in the untouched default.
 * @module
 */
import { trialArguments, renderCustomCfg } from '../domain/boot/custom-cfg.js';
import { renderDeadManScript, renderDeadManUnit } from '../domain/boot/dead-man.js';
import { LAUNCHER, renderHook, withVfioModules } from '../domain/boot/hook.js';
import { KERNEL_METAPACKAGES } from '../domain/boot/kernel-upgrade.js';
import { imageProblems, leftovers, type ImageFacts } from '../domain/boot/initramfs.js';
import {
  DEAD_MAN_SCRIPT_PATH,
  DEAD_MAN_UNIT,
  DEAD_MAN_UNIT_PATH,
  GRUB_CFG,
  GRUB_CUSTOM_CFG,
  GRUB_DROP_IN,
  HOOK_PATH,
  INITRAMFS_MODULES_PATH,
  LAUNCHER_PATH,
} from '../domain/host-layout.js';
import type { FailureType } from '../domain/run/failures.js';
import { ProvisionError } from '../ports/failure.js';
import type { PhaseSteps, StepContext, UndoableStepImplementation } from './define-step.js';
import { readHeld } from './host/apt.js';
import {
  bootImages,
  generatedDefault,
  hookName,
  imagesByKernel,
  inspectImage,
  isImage,
  kernelOf,
  modulesOf,
  launcherName,
  setTrialOrder,
} from './host/boot.js';
import { bootedCopy } from './host/known-good-copy.js';
import {
  checkCustomCfgIsRead,
  checkGrubScript,
  publishKnownGoodDefault,
  saveBootFiles,
  verifyKnownGoodDefault,
} from './host/known-good-default.js';
import {
  archiveLedger,
  changedSinceCommit,
  dropNote,
  noteOnce,
  readLedgerState,
  readNote,
  writeNote,
} from './host/ledger.js';
import { postNotice } from './host/notice.js';
import { openLedger } from './host/open-ledger.js';
import { sha256, type FileContent, type RemoteHost } from './host/remote-host.js';
import { previewFile } from './host/preview.js';

/** Timers of Ubuntu that install packages and rebuild images behind our back. */
const APT_TIMERS = ['apt-daily.timer', 'apt-daily-upgrade.timer'];
const BUILD_UNIT = 'update-initramfs';
export const NOTE_HELD = 'held-packages';
const NOTE_MASKED = 'masked-timers';
/** `sha256 path` of each image this run built. Its absence says that a build never finished. */
const NOTE_BUILT = 'built-images';
/** What opening a damaged image ends in. */
const UNREADABLE: readonly FailureType[] = ['CommandFailed', 'OutputUnexpected'];

export const GRUB_DROP_IN_TEXT = `# Written by gpu-provision. iommu=pt: no DMA translation for the host's own devices; guests are still isolated.
GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT iommu=pt"
`;

const hookFile = (ctx: Pick<StepContext, 'spec'>): FileContent => ({
  path: HOOK_PATH,
  content: renderHook(ctx.spec.gpus),
  mode: '755',
});
const launcherFile: FileContent = { path: LAUNCHER_PATH, content: LAUNCHER, mode: '755' };

/** A step that is one file: written through the ledger, and put back from it. */
function fileStep(
  name: string,
  render: (ctx: StepContext) => Promise<FileContent> | FileContent,
): UndoableStepImplementation {
  return {
    preview: async (ctx) => previewFile(ctx.host, await render(ctx)),
    check: async (ctx) => {
      const file = await render(ctx);
      return (await ctx.host.fileIs(file)) ? { summary: `${file.path} is as wanted` } : null;
    },
    apply: async (ctx) => {
      await ctx.host.writeFile(await render(ctx), name);
    },
    verify: async (ctx) => {
      const file = await render(ctx);
      if (!(await ctx.host.fileIs(file)))
        throw new ProvisionError('StepNotVerified', `${file.path} does not read back as written`);
      return { summary: `${file.path} written`, facts: { sha256: sha256(file.content) } };
    },
    undo: async (ctx) => {
      const { path } = await render(ctx);
      return (await ctx.host.restoreOriginal(path)) ? `${path} put back` : `${path} was never touched`;
    },
  };
}

const direct = (ctx: StepContext): boolean => ctx.spec.boot.strategy === 'direct';

const dropIn: FileContent = { path: GRUB_DROP_IN, content: GRUB_DROP_IN_TEXT, mode: '644' };

export const isolationSteps = {
  'isolation.save-boot-state': {
    apply: async (ctx) => {
      // What an earlier run committed is the "before" of this one; its own originals are kept in the archive.
      const ledger = await readLedgerState(ctx.host);
      if (ledger?.state === 'committed') await archiveLedger(ctx.host, ledger.run);
      // Also where an earlier attempt ended between the two: a ledger without a state is closed by nobody.
      if (ledger === null || ledger.state === 'committed') await openLedger(ctx);
      await saveBootFiles(ctx, 'isolation.save-boot-state');
    },
    verify: async (ctx) => {
      const entries = await ctx.host.ledger();
      const missing = (await bootImages(ctx.host)).filter(
        (image) => !entries.some((e) => e.path === image && e.original !== null),
      );
      if (missing.length > 0) throw new ProvisionError('StepNotVerified', `the ledger lacks ${missing.join(', ')}`);
      return { summary: `${entries.length} originals in the ledger`, facts: { entries: entries.length } };
    },
  },

  'isolation.publish-known-good-default': {
    apply: (ctx) => publishKnownGoodDefault(ctx, 'isolation.publish-known-good-default'),
    verify: verifyKnownGoodDefault,
    // After every other undo, and after the reboot where there is one: until then every power cut ends in known-good.
    undo: async (ctx) => {
      const owned = await ctx.host.restoreOriginal(GRUB_CUSTOM_CFG);
      await postNotice(ctx, 'known-good is the default no more');
      return owned ? `${GRUB_CUSTOM_CFG} put back` : `${GRUB_CUSTOM_CFG} was never touched`;
    },
  },

  'isolation.check-saved-images': {
    apply: async () => {},
    verify: async (ctx) => {
      const saved = (await ctx.host.ledger()).filter((e) => isImage(e.path) && e.original !== null);
      const blobs = saved.map((e) => `/var/lib/gpu-provision/ledger/blobs/${e.original?.sha256 ?? ''}`);
      const hashes = await ctx.host.hashFiles(blobs);
      const damaged = blobs.filter((blob) => hashes.get(blob) !== blob.slice(blob.lastIndexOf('/') + 1));
      if (saved.length === 0 || damaged.length > 0) {
        throw new ProvisionError('StepNotVerified', `saved images are damaged: ${damaged.join(', ') || 'none saved'}`);
      }
      return { summary: `${saved.length} saved images can be put back`, facts: { images: saved.map((e) => e.path) } };
    },
    undo: restoreImages,
  },

  'isolation.hold-kernel': {
    apply: async (ctx) => {
      const kernel = (await ctx.host.must(['uname', '-r'])).trim();
      const wanted = [`linux-image-${kernel}`, ...KERNEL_METAPACKAGES];
      const installed = await ctx.host.exec(['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\\n', ...wanted]);
      const present = installed.stdout
        .split('\n')
        .filter((line) => line.endsWith(' installed'))
        .map((line) => line.split(' ')[0] ?? '');
      const held = await readHeld(ctx);
      const ours = await noteOnce(
        ctx.host,
        NOTE_HELD,
        present.filter((name) => !held.has(name)),
      );
      if (ours.length > 0) await ctx.host.change(['apt-mark', 'hold', ...ours]);
      const masked: string[] = [];
      for (const timer of APT_TIMERS) {
        const state = (await ctx.host.exec(['systemctl', 'is-enabled', timer])).stdout.trim();
        if (state === 'enabled' || state === 'static') masked.push(timer);
      }
      for (const timer of await noteOnce(ctx.host, NOTE_MASKED, masked)) {
        await ctx.host.change(['systemctl', 'mask', '--now', timer]);
      }
    },
    verify: async (ctx) => {
      const ours = (await readNote(ctx.host, NOTE_HELD)) ?? [];
      const held = await readHeld(ctx);
      const loose = ours.filter((name) => !held.has(name));
      if (loose.length > 0) throw new ProvisionError('StepNotVerified', `not held: ${loose.join(', ')}`);
      for (const timer of (await readNote(ctx.host, NOTE_MASKED)) ?? []) {
        const state = (await ctx.host.exec(['systemctl', 'is-enabled', timer])).stdout.trim();
        if (state !== 'masked') throw new ProvisionError('StepNotVerified', `${timer} is ${state}, not masked`);
      }
      return { summary: `${ours.length} kernel packages held, apt timers masked` };
    },
    undo: async (ctx) => {
      const held = (await readNote(ctx.host, NOTE_HELD)) ?? [];
      if (held.length > 0) await ctx.host.change(['apt-mark', 'unhold', ...held]);
      await unmaskTimers(ctx);
      return `${held.length} kernel packages released, apt timers as before`;
    },
  },

  'isolation.write-modules': fileStep('isolation.write-modules', async (ctx) => ({
    path: INITRAMFS_MODULES_PATH,
    content: withVfioModules((await ctx.host.readFile(INITRAMFS_MODULES_PATH)) ?? ''),
    mode: '644',
  })),
  'isolation.write-hook': fileStep('isolation.write-hook', hookFile),
  'isolation.write-launcher': fileStep('isolation.write-launcher', () => launcherFile),

  'isolation.write-command-line': {
    ...fileStep('isolation.write-command-line', () => dropIn),
    check: async (ctx) => {
      if (!(await ctx.host.fileIs(dropIn))) return null;
      const { args } = await generatedDefault(ctx.host);
      return args.includes('iommu=pt') ? { summary: 'iommu=pt in the generated default entry', facts: { args } } : null;
    },
    apply: async (ctx) => {
      await ctx.host.writeFile(dropIn, 'isolation.write-command-line');
      const entry = await generatedDefault(ctx.host);
      if (!entry.args.includes('iommu=pt')) {
        await ctx.host.mustUnit('update-grub', ['update-grub']);
        await ctx.host.change(['sync', '-f', GRUB_CFG]);
      }
    },
    verify: async (ctx) => {
      const entry = await generatedDefault(ctx.host);
      if (!entry.args.includes('iommu=pt')) {
        throw new ProvisionError(
          'StepNotVerified',
          `iommu=pt is not in the default entry of ${GRUB_CFG}: ${entry.args.join(' ')}`,
        );
      }
      return { summary: 'iommu=pt in the generated default entry', facts: { args: entry.args } };
    },
    undo: async (ctx) => {
      await ctx.host.restoreOriginal(GRUB_DROP_IN);
      if ((await changedSinceCommit(ctx.host)).includes(GRUB_CFG)) {
        // The one from before knows nothing of kernels that came or went since.
        await ctx.host.mustUnit('update-grub', ['update-grub']);
        await ctx.host.change(['sync', '-f', GRUB_CFG]);
        return `${GRUB_DROP_IN} put back, ${GRUB_CFG} made anew`;
      }
      const owned = await ctx.host.restoreOriginal(GRUB_CFG);
      return owned ? `${GRUB_DROP_IN} and ${GRUB_CFG} put back` : `${GRUB_CFG} was never touched`;
    },
  },

  'isolation.build-images': {
    check: async (ctx) => {
      const built = await builtImages(ctx);
      if (built.size === 0) return null;
      const hashes = await ctx.host.hashFiles([...built.keys()]);
      const same = [...built].every(([path, hash]) => hashes.get(path) === hash);
      return same && (await everyImageGood(ctx)) ? { summary: `${built.size} images built already` } : null;
    },
    apply: async (ctx) => {
      // An earlier build's note would make undo take the images of an unfinished one for somebody else's.
      await dropNote(ctx.host, NOTE_BUILT);
      try {
        await ctx.host.mustUnit(BUILD_UNIT, ['update-initramfs', '-u', '-k', 'all']);
      } finally {
        await ctx.evidence.keep('update-initramfs.log', () => ctx.host.unitLog(BUILD_UNIT));
      }
      await ctx.host.change(['sync', '-f', '/boot']);
      const hashes = await ctx.host.hashFiles(await bootImages(ctx.host));
      await writeNote(
        ctx.host,
        NOTE_BUILT,
        [...hashes].map(([path, hash]) => `${hash ?? ''} ${path}`),
      );
    },
    // Whether they are right is the next step's question; here only: they are other images than those saved.
    verify: async (ctx) => {
      const { installed } = await imagesByKernel(ctx.host);
      const unchanged = (await ctx.host.ledger()).filter(
        (e) => installed.includes(e.path) && e.original !== null && e.current?.sha256 === e.original.sha256,
      );
      if (unchanged.length > 0) {
        throw new ProvisionError(
          'StepNotVerified',
          `update-initramfs left ${unchanged.map((e) => e.path).join(', ')} as it was; is update_initramfs=no set?`,
        );
      }
      return { summary: `${installed.length} images rebuilt` };
    },
  },

  'isolation.inspect-images': {
    apply: async () => {},
    verify: async (ctx) => {
      const problems: string[] = [];
      const { installed: images, orphans } = await imagesByKernel(ctx.host);
      for (const image of images) {
        ctx.heartbeat(image);
        const facts = await inspectImage(ctx.host, image);
        problems.push(...imageProblems(facts, wantedImage(ctx)).map((problem) => `${image}: ${problem}`));
      }
      if (problems.length > 0) throw new ProvisionError('StepNotVerified', problems.join('; '), { problems });
      const alone = orphans.length > 0 ? `; left alone, since their kernel is gone: ${orphans.join(', ')}` : '';
      return {
        summary: `${images.length} of ${images.length} images run the hook before udev${alone}`,
        facts: { images, orphans },
      };
    },
  },

  'isolation.write-dead-man': {
    apply: async (ctx) => {
      for (const file of deadManFiles(ctx)) await ctx.host.writeFile(file, 'isolation.write-dead-man');
      await ctx.host.change(['systemctl', 'daemon-reload']);
      await ctx.host.change(['systemctl', 'enable', DEAD_MAN_UNIT]);
      await ctx.host.change(['sync', '-f', DEAD_MAN_UNIT_PATH]);
    },
    verify: async (ctx) => {
      for (const file of deadManFiles(ctx)) {
        if (!(await ctx.host.fileIs(file)))
          throw new ProvisionError('StepNotVerified', `${file.path} does not read back as written`);
        const mount = (await ctx.host.must(['findmnt', '-n', '-o', 'TARGET', '-T', file.path])).trim();
        if (mount !== '/')
          throw new ProvisionError(
            'StepNotVerified',
            `${file.path} is on ${mount}, not on the root file system: the dead-man would not find it`,
          );
      }
      const enabled = (await ctx.host.exec(['systemctl', 'is-enabled', DEAD_MAN_UNIT])).stdout.trim();
      if (enabled !== 'enabled')
        throw new ProvisionError('StepNotVerified', `${DEAD_MAN_UNIT} is ${enabled}, not enabled`);
      return { summary: `the host returns by itself after ${ctx.spec.boot.deadManSeconds} s in a trial boot` };
    },
    undo: async (ctx) => {
      if (await ctx.host.exists(DEAD_MAN_UNIT_PATH)) await ctx.host.tryChange(['systemctl', 'disable', DEAD_MAN_UNIT]);
      const owned = await ctx.host.restoreOriginal(DEAD_MAN_UNIT_PATH);
      await ctx.host.restoreOriginal(DEAD_MAN_SCRIPT_PATH);
      await ctx.host.change(['systemctl', 'daemon-reload']);
      await ctx.host.tryChange(['rmdir', DEAD_MAN_SCRIPT_PATH.slice(0, DEAD_MAN_SCRIPT_PATH.lastIndexOf('/'))]);
      return owned ? `${DEAD_MAN_UNIT} removed` : `${DEAD_MAN_UNIT} was never installed`;
    },
  },

  'isolation.publish-trial-entry': {
    apply: async (ctx) => {
      if (direct(ctx)) return;
      // An order left by an interrupted arm must not survive into a new menu.
      await setTrialOrder(ctx.host, '');
      await ctx.host.writeFile(await trialCfg(ctx), 'isolation.publish-trial-entry');
      await postNotice(ctx, 'the trial entry is staged');
    },
    verify: async (ctx) => {
      if (direct(ctx)) return { summary: 'direct strategy: no trial entry; the new image is the default' };
      await checkGrubScript(ctx.host);
      // update-grub has made grub.cfg anew since that was looked at.
      await checkCustomCfgIsRead(ctx);
      if (!(await ctx.host.fileIs(await trialCfg(ctx)))) {
        throw new ProvisionError('StepNotVerified', `${GRUB_CUSTOM_CFG} does not read back as written`);
      }
      return { summary: 'the trial entry is in the menu, not armed' };
    },
    undo: async (ctx) => {
      await setTrialOrder(ctx.host, '');
      await postNotice(ctx, 'disarmed');
      return 'disarmed';
    },
  },
} as const satisfies PhaseSteps<'gpu-isolation'>;

async function trialCfg(ctx: StepContext): Promise<FileContent> {
  const booted = await bootedCopy(ctx.host);
  const trial = await generatedDefault(ctx.host);
  return {
    path: GRUB_CUSTOM_CFG,
    content: renderCustomCfg({ runId: ctx.run.id, booted, trial, committed: false }),
    mode: '644',
  };
}

/** The kernel command line of the trial, without BOOT_IMAGE. */
export async function trialCommandLine(ctx: StepContext): Promise<string> {
  const entry = await generatedDefault(ctx.host);
  return [...entry.args, ...(direct(ctx) ? [] : trialArguments(ctx.run.id))].join(' ');
}

function deadManFiles(ctx: StepContext): readonly FileContent[] {
  return [
    { path: DEAD_MAN_SCRIPT_PATH, content: renderDeadManScript(ctx.spec.boot.deadManSeconds), mode: '755' },
    { path: DEAD_MAN_UNIT_PATH, content: renderDeadManUnit(ctx.run.id), mode: '644' },
  ];
}

/** What every image must hold. */
export function wantedImage(ctx: Pick<StepContext, 'spec'>): Parameters<typeof imageProblems>[1] {
  return { hookSha256: sha256(hookFile(ctx).content), launcherSha256: sha256(LAUNCHER), hookName, launcherName };
}

async function everyImageGood(ctx: StepContext): Promise<boolean> {
  for (const image of (await imagesByKernel(ctx.host)).installed) {
    if (imageProblems(await inspectImage(ctx.host, image), wantedImage(ctx)).length > 0) return false;
  }
  return true;
}

/** Images this run built, path to SHA-256. */
export async function builtImages(ctx: StepContext): Promise<ReadonlyMap<string, string>> {
  const lines = (await readNote(ctx.host, NOTE_BUILT)) ?? [];
  return new Map(lines.map((line) => [line.slice(65), line.slice(0, 64)]));
}

/** Timers this run masked run again. Also done at commit: they are masked only for the length of a run. */
export async function unmaskTimers(ctx: StepContext): Promise<void> {
  for (const timer of (await readNote(ctx.host, NOTE_MASKED)) ?? []) {
    await ctx.host.change(['systemctl', 'unmask', timer]);
    await ctx.host.change(['systemctl', 'start', timer]);
  }
}

/**
 * Runs after the hook and its launcher are gone. Saved images go back where the image in place is one this run built (or was
 * building when it was interrupted), or is damaged. An image that somebody else rebuilt in between is rebuilt once more, without the hook, since
 * going back to the saved one would take their change away.
 */
async function restoreImages(ctx: StepContext): Promise<string> {
  const built = await builtImages(ctx);
  const { installed } = await imagesByKernel(ctx.host);
  const entries = (await ctx.host.ledger()).filter((e) => isImage(e.path) && e.original !== null);
  let restored = 0;
  let rebuilt = 0;
  for (const entry of entries) {
    ctx.heartbeat(entry.path);
    if (entry.current?.sha256 === entry.original?.sha256) continue;
    // Removed together with its kernel, long after the commit: nothing would boot it.
    if (entry.current === null && !(await ctx.host.exists(modulesOf(kernelOf(entry.path))))) continue;
    const ours = built.size === 0 || entry.current === null || built.get(entry.path) === entry.current.sha256;
    const facts = ours ? null : await openImage(ctx.host, entry.path);
    if (facts === null) {
      await ctx.host.restoreOriginal(entry.path);
      restored += 1;
    } else if (leftovers(facts).length > 0) {
      await rebuild(ctx, entry.path);
      rebuilt += 1;
    }
  }
  const asBefore = new Set(
    (await ctx.host.ledger())
      .filter((entry) => entry.original !== null && entry.current?.sha256 === entry.original.sha256)
      .map((entry) => entry.path),
  );
  for (const image of await bootImages(ctx.host)) {
    // A saved image that is back needs no look; one whose kernel is gone could be anything.
    if (asBefore.has(image)) continue;
    let found = leftovers(await inspectImage(ctx.host, image));
    // Its kernel was installed while the hook was there.
    if (found.length > 0 && installed.includes(image) && !entries.some(({ path }) => path === image)) {
      await rebuild(ctx, image);
      rebuilt += 1;
      found = leftovers(await inspectImage(ctx.host, image));
    }
    if (found.length > 0)
      throw new ProvisionError('RestoreNotVerified', `${image} still holds the ${found.join(' and the ')}`);
  }
  return `${restored} images put back by hash, ${rebuilt} rebuilt without the hook`;
}

async function rebuild(ctx: StepContext, image: string): Promise<void> {
  const kernel = kernelOf(image);
  await ctx.host.mustUnit(`rebuild-${kernel}`, ['update-initramfs', '-u', '-k', kernel]);
  await ctx.host.change(['sync', '-f', '/boot']);
}

/** null for one that can't be opened: damaged (seen: cut short on the disk), so nobody's choice, and the saved one has booted. */
async function openImage(host: RemoteHost, path: string): Promise<ImageFacts | null> {
  try {
    return await inspectImage(host, path);
  } catch (error) {
    if (error instanceof ProvisionError && UNREADABLE.includes(error.type)) return null;
    throw error;
  }
}
