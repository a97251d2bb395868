/**
 * A newer kernel on a host that is provisioned: what would be installed, the installation, and the way back to exactly what was committed.
 * @module
 */
import { imageProblems } from '../domain/boot/initramfs.js';
import {
  counterparts,
  KERNEL_METAPACKAGES,
  metapackagesOf,
  nextKernels,
  notOfTheKernel,
  packagesOf,
  pinned,
  type KernelUpgrade,
  type PackageVersion,
} from '../domain/boot/kernel-upgrade.js';
import {
  DEAD_MAN_SCRIPT_PATH,
  DEAD_MAN_UNIT_PATH,
  GRUB_CFG,
  GRUB_CUSTOM_CFG,
  KNOWN_GOOD_DIR,
} from '../domain/host-layout.js';
import { whyNotRebooted } from '../domain/obstacles.js';
import { noRoomForAnImage } from '../domain/preflight/checks/system.js';
import { bootFacts, identityFacts, systemFacts } from '../domain/preflight/parse-facts.js';
import { ProvisionError } from '../ports/failure.js';
import { closeUpgrade, removeDeadMan } from './commit.js';
import { contextOf, reporting, type Adapters, type StepContext, type StepInput } from './define-step.js';
import { wantedImage } from './gpu-isolation.js';
import { generatedDefault, imageOf, inspectImage, kernelPathOf, modulesOf, setTrialOrder } from './host/boot.js';
import { publishKnownGoodDefault } from './host/known-good-default.js';
import { BOOT_FACTS, IDENTITY_FACTS, SYSTEM_FACTS } from './host/facts-scripts.js';
import {
  install,
  purge,
  readPackages,
  simulateInstall,
  simulatePurge,
  simulateUpgrade,
  updateLists,
} from './host/apt.js';
import { readCommitted } from './host/ledger.js';
import { lostReboot } from './host/lost-reboot.js';
import { dropPending, notePending, pendingUpgrade, type PendingUpgrade } from './host/pending-upgrade.js';
import {
  keptFiles,
  plannedReboot,
  readRebootable,
  type PlannedReboot,
  type PlannedRebootInput,
} from './planned-reboot.js';
import { UNFINISHED_UPGRADE } from './verify.js';

export interface UpgradeInput extends StepInput {
  readonly upgrade: KernelUpgrade;
}

export interface KernelUpgradeActivities {
  /** Read-only, before the host is taken. The run that began an upgrade here and is lost, or null. Throws Blocked, with every reason. */
  'upgrade.look'(input: StepInput): Promise<string | null>;
  /** Of a lost run: its kernel is committed where that was proven and the default, else taken away. */
  'upgrade.settle-lost'(input: StepInput): Promise<string>;
  'upgrade.update-lists'(input: StepInput): Promise<void>;
  /** Read-only. Throws Blocked where there is no newer kernel, or apt would do anything else beside installing it. */
  'upgrade.read-plan'(input: PlannedRebootInput): Promise<PlannedReboot>;
  'upgrade.install'(input: UpgradeInput): Promise<string>;
  /** The new image isolates the GPUs, it is the generated default, and everything else is as it was committed. */
  'upgrade.inspect'(input: UpgradeInput): Promise<string>;
  'upgrade.check-kernel'(input: UpgradeInput): Promise<string>;
  /** Whatever is there of a kernel that this run installed goes, and the host is as it was committed. Safe to repeat, and where nothing was installed. */
  'upgrade.remove'(input: StepInput): Promise<string>;
}

export function kernelUpgradeActivities(adapters: Adapters): KernelUpgradeActivities {
  const of =
    <I extends StepInput, R>(body: (ctx: StepContext, input: I) => Promise<R>) =>
    (input: I): Promise<R> =>
      reporting(() => body(contextOf(adapters, input), input));
  return {
    'upgrade.look': of(look),
    'upgrade.settle-lost': of(settleLost),
    'upgrade.update-lists': of(refreshLists),
    'upgrade.read-plan': of((ctx, { cordonedAt }: PlannedRebootInput) => readPlan(ctx, cordonedAt)),
    'upgrade.install': of((ctx, { upgrade }: UpgradeInput) => installKernel(ctx, upgrade)),
    'upgrade.inspect': of((ctx, { upgrade }: UpgradeInput) => inspect(ctx, upgrade)),
    'upgrade.check-kernel': of((ctx, { upgrade }: UpgradeInput) => checkKernel(ctx, upgrade)),
    'upgrade.remove': of(remove),
  };
}

const running = async ({ host }: Pick<StepContext, 'host'>): Promise<string> =>
  (await host.must(['uname', '-r'])).trim();

const blocked = (...problems: readonly string[]): ProvisionError =>
  new ProvisionError('Blocked', problems.join('; '), { problems });

async function look(ctx: StepContext): Promise<string | null> {
  const lost = await pendingUpgrade(ctx.host);
  await readRebootable(ctx, (found) =>
    // What a lost run left is looked at again when it is settled.
    whyNotRebooted(found, 'upgrade-kernel', lost === null ? [] : [UNFINISHED_UPGRADE, 'boot.entry']),
  );
  return lost?.run ?? null;
}

async function settleLost(ctx: StepContext): Promise<string> {
  const { host } = ctx;
  const lost = await pendingUpgrade(host);
  if (lost === null) return 'nothing is left of it';
  const reboot = await lostReboot(host);
  const isDefault = reboot !== null && !reboot.knownGoodIsDefault && reboot.run === lost.run;
  if (!isDefault) return takeBack(ctx);
  if ((await running(ctx)) !== lost.to)
    throw blocked(
      `kernel ${lost.to} of run ${lost.run} is the default, and ${lost.from} runs: boot the default entry first`,
    );
  return closeUpgrade(ctx, { bootId: (await host.bootReading()).bootId });
}

/** Its menu, its order and its dead-man are of the lost run; from here on what is there of a reboot is this one's. */
async function takeBack(ctx: StepContext): Promise<string> {
  const step = 'upgrade.settle-lost';
  await setTrialOrder(ctx.host, '');
  await publishKnownGoodDefault(ctx, step);
  await removeDeadMan(ctx.host, step);
  return remove(ctx);
}

async function refreshLists(ctx: StepContext): Promise<void> {
  try {
    await updateLists(ctx, 'upgrade');
  } catch (error) {
    if (!(error instanceof ProvisionError) || error.type !== 'CommandFailed') throw error;
    // Without them nobody knows whether there is a newer kernel, and nothing is changed.
    throw blocked(`the package lists cannot be read anew: ${error.message}`);
  }
}

async function readPlan(ctx: StepContext, cordonedAt: string | null): Promise<PlannedReboot> {
  const found = await readRebootable(ctx, (obstacles) => whyNotRebooted(obstacles, 'upgrade-kernel'));
  const upgrade = await plannedUpgrade(ctx);
  return plannedReboot(ctx, found, {
    boots: 'kernel',
    files: keptFiles(found).map((file) => (file.path === GRUB_CFG ? { ...file, action: 'changed' } : file)),
    imagesRebuilt: 1,
    upgrade,
    cordonedAt,
    stays: [
      `kernel ${upgrade.from} with its modules, its image and its metapackages, held`,
      'k3s, Cozystack and its storage',
    ],
  });
}

async function plannedUpgrade(ctx: StepContext): Promise<KernelUpgrade> {
  const from = await running(ctx);
  const installed = [...(await readPackages(ctx, ['linux-*'])).values()].filter((found) => found.installed);
  const names = installed.map(({ name }) => name);
  const metapackages = metapackagesOf(names);
  if (metapackages.length === 0)
    throw blocked(
      `no metapackage is installed that would name a newer kernel (${KERNEL_METAPACKAGES.join(', ')}): install the one of this kernel's flavour`,
    );
  const found = nextKernels(await asked(() => simulateUpgrade(ctx, metapackages)), from);
  const [to] = found;
  if (to === undefined)
    throw blocked(`nothing to upgrade: ${metapackages.join(', ')} bring no kernel newer than ${from}`);
  if (found.length > 1)
    throw blocked(
      `${metapackages.join(', ')} would bring different kernels, ${found.join(' and ')}: remove those of one`,
    );
  const simulation = await asked(() => simulateInstall(ctx, counterparts(names, from, to)));
  const problems = [...notOfTheKernel(simulation, to), ...(await noRoom(ctx)), ...(await notRemade(ctx))];
  if (problems.length > 0) throw blocked(...problems);
  return { from, to, packages: packagesOf(simulation) };
}

/** apt that can't answer is a reason, not a failure: an archive that has a kernel without its headers will have them. */
async function asked<T>(simulate: () => Promise<T>): Promise<T> {
  try {
    return await simulate();
  } catch (error) {
    if (error instanceof ProvisionError && error.type === 'CommandFailed') throw blocked(error.message);
    throw error;
  }
}

/**
 * SHA-256 of the menu that update-grub would write now; writes nothing. In the language of systemd's units, in which update-grub runs, here and
 * under apt: titles and `set lang` are in it, and a login may have another one.
 */
const HASH_OF_A_NEW_MENU = `set -eu
LANG=$(systemctl show-environment | sed -n 's/^LANG=//p')
export LANG
unset LANGUAGE LC_ALL LC_MESSAGES
made=$(grub-mkconfig 2>/dev/null | sha256sum)
printf '%s\\n' "\${made%% *}"`;

/** Taking the kernel away makes the menu anew, which has to be the committed one: then it is known before anything is installed. */
async function notRemade({ host }: StepContext): Promise<readonly string[]> {
  const committed = (await readCommitted(host))?.get(GRUB_CFG);
  if ((await host.script(HASH_OF_A_NEW_MENU)).trim() === committed) return [];
  return [
    `update-grub would make another ${GRUB_CFG} than the one that was proven: somebody changed /etc/default/grub or /etc/grub.d since. Take that back`,
  ];
}

async function noRoom({ host }: StepContext): Promise<readonly string[]> {
  return noRoomForAnImage({
    identity: identityFacts(await host.facts(IDENTITY_FACTS)),
    boot: bootFacts(await host.facts(BOOT_FACTS, [KNOWN_GOOD_DIR]), await host.readFile(GRUB_CFG)),
    system: systemFacts(await host.facts(SYSTEM_FACTS)),
  });
}

async function missing(ctx: StepContext, packages: readonly PackageVersion[]): Promise<readonly PackageVersion[]> {
  const present = await readPackages(
    ctx,
    packages.map(({ name }) => name),
  );
  return packages.filter(({ name, version }) => {
    const found = present.get(name);
    return found?.installed !== true || found.version !== version;
  });
}

async function installKernel(ctx: StepContext, upgrade: KernelUpgrade): Promise<string> {
  const { host, run } = ctx;
  // dpkg calls packages installed while apt still runs their triggers, which build the image.
  await host.drainUnits();
  if ((await pendingUpgrade(host)) === null) await notePending(host, { ...upgrade, run: run.id, image: null });
  const wanted = await missing(ctx, upgrade.packages);
  if (wanted.length > 0) {
    const other = notOfTheKernel(await simulateInstall(ctx, pinned(wanted)), upgrade.to);
    if (other.length > 0)
      throw new ProvisionError('Drifted', `apt would do more than was approved: ${other.join('; ')}`);
    ctx.heartbeat(`apt-get install ${pinned(wanted).join(' ')}`);
    await install(ctx, 'upgrade.install', pinned(wanted));
  }
  await host.change(['sync', '-f', '/boot']);
  const still = await missing(ctx, upgrade.packages);
  if (still.length > 0) throw new ProvisionError('StepNotVerified', `not installed: ${pinned(still).join(', ')}`);
  return `${upgrade.packages.length} packages of kernel ${upgrade.to} are installed`;
}

async function inspect(ctx: StepContext, upgrade: KernelUpgrade): Promise<string> {
  const { host } = ctx;
  const pending = await pendingUpgrade(host);
  const image = imageOf(upgrade.to);
  const facts = await inspectImage(host, image);
  const entry = await generatedDefault(host);
  const kept = await host.exists(modulesOf(upgrade.from));
  const problems = [
    ...imageProblems(facts, wantedImage(ctx)).map((problem) => `${image}: ${problem}`),
    ...(await notAsCommitted(ctx, [GRUB_CFG])),
    ...(kept ? [] : [`${modulesOf(upgrade.from)} is gone: known-good would come up without network`]),
    ...(entry.linux.endsWith(kernelPathOf(upgrade.to).replace(/^\/boot/, ''))
      ? []
      : [
          `update-grub made "${entry.title}" the default, which boots ${entry.linux}: GRUB_DEFAULT chooses it, not the newest kernel`,
        ]),
  ];
  if (pending === null) problems.push('the ledger has no note of the upgrade');
  if (problems.length > 0 || pending === null)
    throw new ProvisionError('StepNotVerified', problems.join('; '), { problems });
  await notePending(host, { ...pending, image: (await host.hashFiles([image])).get(image) ?? null });
  return `${image} runs the hook before udev; "${entry.title}" is the generated default; everything else as committed`;
}

async function checkKernel(ctx: StepContext, { to }: KernelUpgrade): Promise<string> {
  const release = await running(ctx);
  if (release !== to) throw new ProvisionError('BootFailed', `kernel ${release} runs, expected ${to}`);
  return `kernel ${to} runs`;
}

/** What a run over a host writes while it reboots it: put right when that is over. */
const OF_THE_REBOOT: readonly string[] = [GRUB_CUSTOM_CFG, DEAD_MAN_UNIT_PATH, DEAD_MAN_SCRIPT_PATH];

/** @param besides Paths that may differ. */
async function notAsCommitted({ host }: StepContext, besides: readonly string[]): Promise<readonly string[]> {
  const committed = [...((await readCommitted(host)) ?? [])].filter(
    ([path]) => !OF_THE_REBOOT.includes(path) && !besides.includes(path),
  );
  const now = await host.hashFiles(committed.map(([path]) => path));
  return committed.flatMap(([path, hash]) =>
    (now.get(path) ?? null) === hash ? [] : [`${path} is not as it was committed`],
  );
}

async function remove(ctx: StepContext): Promise<string> {
  const { host } = ctx;
  const pending = await pendingUpgrade(host);
  if (pending === null) return 'no kernel was installed';
  await host.drainUnits();
  await purgeKernel(ctx, pending);
  // Its own removal does it where nothing went wrong.
  if ((await notAsCommitted(ctx, [])).some((problem) => problem.startsWith(`${GRUB_CFG} `)))
    await host.mustUnit('upgrade.update-grub', ['update-grub']);
  await host.change(['sync', '-f', '/boot']);
  const left = [];
  for (const path of [imageOf(pending.to), kernelPathOf(pending.to)]) if (await host.exists(path)) left.push(path);
  const problems = [...left.map((path) => `${path} is still there`), ...(await notAsCommitted(ctx, []))];
  if (problems.length > 0) throw new ProvisionError('RestoreNotVerified', problems.join('; '), { problems });
  await dropPending(host);
  return `kernel ${pending.to} is removed; every file and image is as it was committed`;
}

async function purgeKernel(ctx: StepContext, { to, packages }: PendingUpgrade): Promise<void> {
  const present = [
    ...(
      await readPackages(
        ctx,
        packages.map(({ name }) => name),
      )
    ).keys(),
  ];
  if (present.length === 0) return;
  if ((await running(ctx)) === to)
    throw new ProvisionError('RestoreNotVerified', `kernel ${to} runs, so that its packages cannot be removed`);
  const others = (await simulatePurge(ctx, present)).removes.filter((name) => !present.includes(name));
  if (others.length > 0)
    throw new ProvisionError(
      'RestoreNotVerified',
      `apt would remove ${others.join(', ')} with kernel ${to}, which somebody installed since: remove ${present.join(' ')} by hand`,
    );
  ctx.heartbeat(`apt-get purge ${present.join(' ')}`);
  await purge(ctx, 'upgrade.remove', present);
}
