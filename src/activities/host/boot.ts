/**
 * Reads and changes of the boot chain that several activities need.
 * @module
 */
import {
  defaultEntry,
  parseGrubConfig,
  parseGrubEnvironment,
  type GrubConfig,
  type MenuEntry,
} from '../../domain/boot/grub-config.js';
import { parseImageFacts, type ImageFacts } from '../../domain/boot/initramfs.js';
import {
  GRUBENV,
  GRUB_CFG,
  GRUB_TRIAL_VARIABLE,
  HOOK_PATH,
  LAUNCHER_PATH,
  STATE_DIR,
} from '../../domain/host-layout.js';
import { ProvisionError } from '../../ports/failure.js';
import { INSPECT_IMAGE, SET_GRUB_VARIABLE } from './boot-scripts.js';
import type { RemoteHost } from './remote-host.js';

/** Unpacking an image with the nvidia modules takes a minute on slow disks. */
const INSPECT_TIMEOUT_MS = 10 * 60_000;
/** Not /tmp: an unpacked image has several hundred MB and /tmp may be in memory. */
const INSPECT_DIR = '/var/tmp/gpu-provision-image';
/** An inspection whose link is gone goes on in that folder, and would take it away from under the next one. */
const INSPECT_LOCK = `${STATE_DIR}/inspect.lock`;

export const hookName = HOOK_PATH.slice(HOOK_PATH.lastIndexOf('/') + 1);
export const launcherName = LAUNCHER_PATH.slice(LAUNCHER_PATH.lastIndexOf('/') + 1);

/** Paths of every boot image, `/boot/initrd.img-VERSION`, sorted. */
export async function bootImages(host: RemoteHost): Promise<readonly string[]> {
  const out = await host.must(['find', '/boot', '-maxdepth', '1', '-type', 'f', '-name', 'initrd.img-*']);
  const images = out.split('\n').filter((path) => /^\/boot\/initrd\.img-[\w.+-]+$/.test(path) && !isLeftover(path));
  if (images.length === 0) throw new ProvisionError('OutputUnexpected', 'no /boot/initrd.img-* on the host');
  return images.toSorted();
}

/** Boot images, by whether their kernel is still installed: update-initramfs builds no other, and nothing boots them. */
export interface ImagesByKernel {
  readonly installed: readonly string[];
  /** Left behind by a kernel that was purged. */
  readonly orphans: readonly string[];
}

export async function imagesByKernel(host: RemoteHost): Promise<ImagesByKernel> {
  const images = await bootImages(host);
  const orphans: string[] = [];
  for (const image of images) if (!(await host.exists(modulesOf(kernelOf(image))))) orphans.push(image);
  return { installed: images.filter((image) => !orphans.includes(image)), orphans };
}

/** What update-initramfs leaves behind when it is interrupted, and copies that people and DKMS keep: GRUB boots none of them. */
export const isLeftover = (path: string): boolean => /\.(new|bak|dpkg-bak|dpkg-new|old|old-dkms)$/.test(path);

/** Of a path in the ledger too, whatever is there now. */
export const isImage = (path: string): boolean => path.startsWith('/boot/initrd.img-');

export const kernelOf = (image: string): string => image.replace('/boot/initrd.img-', '');

/** Of a kernel by its release, as `uname -r` says it. */
export const imageOf = (release: string): string => `/boot/initrd.img-${release}`;
export const kernelPathOf = (release: string): string => `/boot/vmlinuz-${release}`;
export const modulesOf = (release: string): string => `/lib/modules/${release}`;

/** Opens an image on the host. Throws OutputUnexpected when it can't be opened or isn't made by initramfs-tools. */
export async function inspectImage(host: RemoteHost, image: string): Promise<ImageFacts> {
  const kernel = kernelOf(image);
  const hash = (await host.hashFiles([image])).get(image) ?? null;
  if (hash === null) throw new ProvisionError('OutputUnexpected', `${image} does not exist`);
  const out = await host.scriptAlone(
    INSPECT_LOCK,
    INSPECT_IMAGE,
    [image, INSPECT_DIR, kernel, hookName, launcherName],
    {
      timeoutMs: INSPECT_TIMEOUT_MS,
    },
  );
  const facts = parseImageFacts(image, kernel, hash, out);
  if (facts === null)
    throw new ProvisionError('OutputUnexpected', `${image} cannot be read as an image of initramfs-tools`);
  return facts;
}

export async function readGrubConfig(host: RemoteHost): Promise<GrubConfig> {
  const text = await host.readFile(GRUB_CFG);
  if (text === null) throw new ProvisionError('OutputUnexpected', `${GRUB_CFG} does not exist`);
  return parseGrubConfig(text);
}

export async function readGrubEnvironment(host: RemoteHost): Promise<ReadonlyMap<string, string>> {
  return parseGrubEnvironment(await host.must(['grub-editenv', GRUBENV, 'list']));
}

/** The entry update-grub made the default, whatever custom.cfg says. */
export async function generatedDefault(host: RemoteHost): Promise<MenuEntry> {
  const entry = defaultEntry(await readGrubConfig(host), await readGrubEnvironment(host));
  if (entry === null) throw new ProvisionError('OutputUnexpected', `the default entry of ${GRUB_CFG} can't be told`);
  return entry;
}

/** Arms (`1`) or disarms (empty) the one-shot trial: durable for GRUB, and read back. */
export async function setTrialOrder(host: RemoteHost, value: '1' | ''): Promise<void> {
  const out = await host.changeScript(SET_GRUB_VARIABLE, [GRUBENV, GRUB_TRIAL_VARIABLE, value]);
  const now = parseGrubEnvironment(out).get(GRUB_TRIAL_VARIABLE) ?? '';
  if (now !== value)
    throw new ProvisionError('StepNotVerified', `${GRUB_TRIAL_VARIABLE} reads back as "${now}", not "${value}"`);
}
