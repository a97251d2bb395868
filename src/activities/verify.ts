/**
 * The drift check, as far as no step's own verification says it: who holds the host, the files as they were committed, known-good, and
 * kernels that came later. Changes nothing and takes no lock of the host.
 * @module
 */
import { imageProblems } from '../domain/boot/initramfs.js';
import { KNOWN_GOOD_TOKEN } from '../domain/boot/reboot.js';
import type { TruthBaseline } from '../domain/gpu/truth-table.js';
import { GRUB_CFG, GRUB_CUSTOM_CFG, KNOWN_GOOD_DIR } from '../domain/host-layout.js';
import { bootedKernelPath, COPY, versionsIn } from '../domain/preparation/known-good.js';
import { drift, ok, type VerifyItem } from '../domain/verify.js';
import { contextOf, reporting, type Adapters, type StepContext, type StepInput } from './define-step.js';
import { NOTE_HELD, wantedImage } from './gpu-isolation.js';
import { readHeld } from './host/apt.js';
import { imageOf, imagesByKernel, inspectImage, kernelOf, modulesOf } from './host/boot.js';
import { undamagedCopy } from './host/known-good-copy.js';
import { lostReboot } from './host/lost-reboot.js';
import { readCommitted, readLedgerState, readNote, type Committed } from './host/ledger.js';
import { notedBaseline } from './host/open-ledger.js';
import { pendingUpgrade, type PendingUpgrade } from './host/pending-upgrade.js';

/** Whose the host is, and which boot it runs. What differs between two of these was not still while it was looked at. */
export interface Holder {
  /** null when no run holds the host. */
  readonly run: string | null;
  readonly bootId: string;
}

export interface HostItems {
  /** Whether a run has committed, so that there is something to compare devices and boot with. */
  readonly committed: boolean;
  /** How the host was before it was isolated; null where the ledger doesn't say. */
  readonly baseline: TruthBaseline | null;
  readonly items: readonly VerifyItem[];
}

export interface VerifyActivities {
  'verify.read-holder'(input: StepInput): Promise<Holder>;
  'verify.read-boot'(input: StepInput): Promise<HostItems>;
}

export function verifyActivities(adapters: Adapters): VerifyActivities {
  return {
    'verify.read-holder': (input) =>
      reporting(async () => {
        const { host } = contextOf(adapters, input);
        const run = await host.holder();
        const { bootId } = await host.bootReading();
        return { run, bootId };
      }),
    'verify.read-boot': (input) => reporting(() => readBoot(contextOf(adapters, input))),
  };
}

/** Boot files, known-good and kernels: what a reboot relies on. */
export async function readBoot(ctx: StepContext): Promise<HostItems> {
  const ledger = await readLedgerState(ctx.host);
  const server = ctx.spec.name;
  if (ledger?.state !== 'committed') {
    const text =
      ledger === null
        ? 'no run has committed anything here'
        : `run ${ledger.run} changed the host and ended without a commit`;
    const item = drift('ledger', text, `start-provision --server ${server}`);
    return { committed: false, baseline: null, items: [item] };
  }
  const committed = await readCommitted(ctx.host);
  const pending = await pendingUpgrade(ctx.host);
  return {
    committed: true,
    baseline: await notedBaseline(ctx.host),
    items: [
      ok('ledger', `run ${ledger.run} committed at ${ledger.at}`),
      await bootEntry(ctx),
      ...(await committedFiles(ctx, committed, pending === null ? [] : [GRUB_CFG])),
      ...(ctx.spec.boot.strategy === 'direct' ? [] : await knownGood(ctx)),
      await heldKernel(ctx),
      ...(pending === null ? [] : [unfinishedUpgrade(ctx, pending)]),
      ...(await laterKernels(ctx, committed, pending === null ? [] : [imageOf(pending.to)])),
    ],
  };
}

export const UNFINISHED_UPGRADE = 'kernel.unfinished';

const unfinishedUpgrade = ({ spec }: StepContext, { run, to }: PendingUpgrade): VerifyItem =>
  drift(
    UNFINISHED_UPGRADE,
    `the upgrade of run ${run} to kernel ${to} ended before that was proven`,
    `gpu-provision upgrade-kernel ${spec.name} takes it back, or commits it where it is the default already`,
  );

async function bootEntry(ctx: StepContext): Promise<VerifyItem> {
  const { commandLine } = await ctx.host.bootReading();
  if (!commandLine.split(/\s+/).includes(KNOWN_GOOD_TOKEN)) return ok('boot.entry', 'the host runs its default entry');
  return drift(
    'boot.entry',
    'the host runs the known-good entry, in which the GPUs are on their native drivers',
    'somebody chose it at the console, or the default entry did not load: look at the other items of the boot, then reboot',
  );
}

/** What each kind of file decides, and what to do when it is another one. */
const FILES: readonly { readonly of: RegExp; readonly remedy: string }[] = [
  {
    of: /^\/boot\/initrd\.img-/,
    remedy:
      'an image that was rebuilt has not booted: reboot while somebody is at the BMC console; known-good is in the menu',
  },
  {
    of: /^\/boot\/grub\//,
    remedy: 'the menu is another one: read it, and reboot while somebody is at the BMC console',
  },
  {
    of: /./,
    remedy: 'put it back before the next boot image is built: what a build takes in is not what was proven',
  },
];

/** @param besides Paths that another item is about. */
async function committedFiles(
  ctx: StepContext,
  committed: Committed,
  besides: readonly string[],
): Promise<readonly VerifyItem[]> {
  if (committed === null)
    return [ok('boot.file', 'committed by an older version, which noted no hashes to compare with')];
  const now = await ctx.host.hashFiles([...committed.keys()]);
  const changed = [...committed].filter(([path, hash]) => (now.get(path) ?? null) !== hash);
  const lost = changed.length === 0 ? null : await lostReboot(ctx.host);
  const items = changed
    .filter(([path]) => lost?.paths.includes(path) !== true && !besides.includes(path))
    .map(([path, hash]) => {
      const is = now.get(path) ?? null;
      const how = is === null ? 'is gone' : hash === null ? 'is there again' : 'is not as it was committed';
      return drift('boot.file', `${path} ${how}`, FILES.find(({ of }) => of.test(path))?.remedy ?? '');
    });
  if (lost !== null && changed.some(([path]) => lost.paths.includes(path))) {
    items.push(
      drift(
        'boot.unfinished',
        `the reboot of run ${lost.run} ended before its entry was proven: ${lost.knownGoodIsDefault ? 'known-good is the default' : 'its dead-man is still there'}`,
        `gpu-provision reboot ${ctx.spec.name}`,
      ),
    );
  }
  const same = committed.size - changed.length;
  return [...items, ok('boot.file', `${same} of ${committed.size} files and images are as they were committed`)];
}

/** The copy must be there, be what the menu names, and find the modules of its kernel. */
async function knownGood(ctx: StepContext): Promise<readonly VerifyItem[]> {
  const { host, spec } = ctx;
  const copy = await undamagedCopy(host);
  if (copy === null) {
    return [
      drift(
        'known-good.copy',
        `${KNOWN_GOOD_DIR} holds no complete and undamaged copy`,
        'do not reboot without somebody at the BMC console: there is nothing to fall back to',
      ),
    ];
  }
  const named = versionsIn((await host.readFile(GRUB_CUSTOM_CFG)) ?? '');
  const isNamed = named.length > 0 && named.every((version) => version === copy.version);
  const commandLine = (await host.readFile(`${copy.directory}/${COPY.commandLine}`)) ?? '';
  const kernel = /vmlinuz-(\S+)$/.exec(bootedKernelPath(commandLine) ?? '')?.[1] ?? 'unknown';
  const modules = modulesOf(kernel);
  return [
    isNamed
      ? ok('known-good.copy', `copy ${copy.version} of kernel ${kernel} is undamaged and in the menu`)
      : drift(
          'known-good.copy',
          `${GRUB_CUSTOM_CFG} names ${named.length === 0 ? 'no copy' : [...new Set(named)].join(', ')}, kept is ${copy.version}`,
          `without it the menu has no known-good entry: gpu-provision decommission ${spec.name}, or put the file back`,
        ),
    (await host.exists(modules))
      ? ok('known-good.modules', `${modules} is there`)
      : drift(
          'known-good.modules',
          `known-good is stale: it boots kernel ${kernel}, and ${modules} is gone, so it would come up without network`,
          `apt-get install linux-image-${kernel} linux-modules-${kernel}`,
        ),
  ];
}

async function heldKernel(ctx: StepContext): Promise<VerifyItem> {
  const wanted = (await readNote(ctx.host, NOTE_HELD)) ?? [];
  const held = await readHeld(ctx);
  const loose = wanted.filter((name) => !held.has(name));
  if (loose.length === 0) return ok('kernel.held', `${wanted.length} kernel packages are held`);
  return drift(
    'kernel.held',
    `not held: ${loose.join(', ')}; an upgrade would make a kernel the default that never booted`,
    `apt-mark hold ${loose.join(' ')}; gpu-provision upgrade-kernel ${ctx.spec.name} is the way to a newer kernel`,
  );
}

/** Kernels without an image that was committed: installed since. */
async function laterKernels(
  ctx: StepContext,
  committed: Committed,
  besides: readonly string[],
): Promise<readonly VerifyItem[]> {
  if (committed === null) return [];
  const { installed } = await imagesByKernel(ctx.host);
  const later = installed.filter((image) => !committed.has(image) && !besides.includes(image));
  const remedy = (kernel: string): string =>
    `remove its packages, apt-get purge linux-image-${kernel} linux-modules-${kernel}; gpu-provision upgrade-kernel ${ctx.spec.name} installs it with a way back`;
  const items: VerifyItem[] = [];
  for (const image of later) {
    ctx.heartbeat(image);
    const kernel = kernelOf(image);
    const problems = imageProblems(await inspectImage(ctx.host, image), wantedImage(ctx));
    items.push(
      problems.length > 0
        ? drift(
            'kernel.later',
            `kernel ${kernel} was installed since, and its image does not isolate the GPUs: ${problems.join('; ')}`,
            `do not boot it: ${remedy(kernel)}`,
          )
        : drift(
            'kernel.later',
            `kernel ${kernel} was installed since; its image has the hook, and has never booted`,
            `it is the default once ${GRUB_CFG} names it: ${remedy(kernel)}`,
          ),
    );
  }
  return items.length === 0 ? [ok('kernel.later', 'no kernel was installed since')] : items;
}
