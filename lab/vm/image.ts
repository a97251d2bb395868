/**
 * The disk every virtual machine of the boot lab starts from: built once, kept in the cache, never written to again.
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../tools/lock.js';
import type { Workshop } from '../tools/workshop.js';
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

const SCRIPTS = ['build-image.sh', 'customize.sh', 'initramfs-drivers.sh'] as const;

/** The scripts lie beside the source; the build leaves them there. */
function scriptFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return here.includes('/dist/') ? here.replace('/dist/', '/') : here;
}

/** The base image, built now if these scripts have not built one before. Needs root, since mmdebstrap then keeps owners. */
export async function baseImage(workshop: Workshop): Promise<BaseImage> {
  const scripts = scriptFolder();
  const version = createHash('sha256');
  for (const name of SCRIPTS) version.update(await readFile(join(scripts, name)));
  const folder = join(workshop.cacheDir, `boot-lab-${version.digest('hex').slice(0, 12)}`);
  await mkdir(workshop.cacheDir, { recursive: true });
  const waiting = (pid: number): void =>
    workshop.report(`boot lab: process ${pid} is building the base image; waiting`);
  await withLock(`${folder}.lock`, waiting, async () => {
    if (await exists(folder)) return;
    const building = await mkdtemp(`${folder}.building-`);
    try {
      workshop.report('boot lab: building the base image (Debian 12 with GRUB and initramfs-tools), minutes');
      await workshop.run(['sh', join(scripts, 'build-image.sh'), building], { timeoutSeconds: BUILD_TIMEOUT_SECONDS });
      workshop.report('boot lab: first boot, installs GRUB on its disk');
      const console = await workshop.run(['qemu-system-x86_64', ...firstBoot(building)], {
        timeoutSeconds: FIRST_BOOT_TIMEOUT_SECONDS,
      });
      await assertReady(building, console);
      await rename(building, folder);
    } catch (error) {
      await rm(building, { recursive: true, force: true });
      throw error;
    }
  });
  return {
    disk: join(folder, 'disk.raw'),
    rootOffset: Number(await readFile(join(folder, 'root_offset'), 'utf8')),
    clientKey: join(folder, 'client_key'),
    hostKey: (await readFile(join(folder, 'host_key.pub'), 'utf8')).trim(),
  };
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

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
