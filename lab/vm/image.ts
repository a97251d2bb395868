/**
 * The disk every virtual machine of the boot lab starts from: built once, kept in the cache, never written to again.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keptFolder, sourceFolder, versionOf } from '../tools/kept-folder.js';
import { exists, type Workshop } from '../tools/workshop.js';
import { grubReads } from './disk.js';
import { CPU, FIRST_BOOT_MEMORY_MIB } from './hardware.js';

/** Files of the base, below its folder. */
export interface BaseImage {
  /** Raw, about 1 GiB of its 26 in use. Only ever copied. */
  readonly disk: string;
  /** Bytes before the root file system. */
  readonly rootOffset: number;
  /** OpenSSH private key of user `ubuntu`. */
  readonly clientKey: string;
  /** OpenSSH public key of the host, as in its `/etc/ssh`. */
  readonly hostKey: string;
}

/** Two and a half minutes on two cores, twice that while others work, and as long again for a slow mirror. */
const BUILD_TIMEOUT_SECONDS = 20 * 60;
/** One boot without KVM, grub-install, update-grub. */
const FIRST_BOOT_TIMEOUT_SECONDS = 10 * 60;

/** Characters of the console in an error. */
const CONSOLE_SHOWN = 4_000;

const FOLDER = sourceFolder(import.meta.url);
const SCRIPTS = ['build-image.sh', 'kernels.sh', 'customize.sh', 'initramfs-drivers.sh'] as const;

/** The base image, built now if these scripts have not built one before. Needs root, since mmdebstrap then keeps owners. */
export async function baseImage(workshop: Workshop): Promise<BaseImage> {
  const scripts = SCRIPTS.map((name) => join(FOLDER, name));
  const folder = await keptFolder(
    {
      title: 'boot lab: the base image',
      name: `boot-lab-${await versionOf(scripts)}`,
      isReady: exists,
      make: (building) => build(building, workshop),
    },
    workshop,
  );
  return {
    disk: join(folder, 'disk.raw'),
    rootOffset: Number(await readFile(join(folder, 'root_offset'), 'utf8')),
    clientKey: join(folder, 'client_key'),
    hostKey: (await readFile(join(folder, 'host_key.pub'), 'utf8')).trim(),
  };
}

async function build(folder: string, workshop: Workshop): Promise<void> {
  workshop.report('boot lab: building the base image (Debian 12 with GRUB and initramfs-tools), minutes');
  await workshop.run(['sh', join(FOLDER, 'build-image.sh'), folder], { timeoutSeconds: BUILD_TIMEOUT_SECONDS });
  workshop.report('boot lab: first boot, installs GRUB on its disk');
  const console = await workshop.run(['qemu-system-x86_64', ...firstBoot(folder)], {
    timeoutSeconds: FIRST_BOOT_TIMEOUT_SECONDS,
  });
  await assertReady(folder, console);
}

/** Arguments of the boot that installs GRUB: without its help, so kernel and initrd come from outside. */
function firstBoot(folder: string): readonly string[] {
  const options: readonly (readonly string[])[] = [
    CPU,
    ['-m', String(FIRST_BOOT_MEMORY_MIB)],
    ['-nodefaults'],
    ['-display', 'none'],
    ['-no-reboot'],
    ['-serial', 'stdio'],
    // Thrown away whole if it is interrupted, so nothing needs to be flushed.
    ['-drive', `file=${folder}/disk.raw,format=raw,if=virtio,cache=unsafe`],
    ['-kernel', `${folder}/vmlinuz`],
    ['-initrd', `${folder}/initrd.img`],
    ['-append', 'root=/dev/vda3 rw console=ttyS0'],
  ];
  return options.flat();
}

/** The last act of the first boot is a file; QEMU ends with 0 whatever happened inside. */
async function assertReady(folder: string, console: string): Promise<void> {
  if ((await grubReads(join(folder, 'disk.raw'), '/boot-lab-done')) !== null) return;
  throw new Error(`the first boot did not install GRUB:\n${console.slice(-CONSOLE_SHOWN)}`);
}
