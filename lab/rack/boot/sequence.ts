/**
 * One boot, from firmware to multi-user. Each stage can hang, panic or lead back to the firmware; the machine then goes on.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { directory, textOf } from '../disk/entry.js';
import { MemoryVolume } from '../disk/volume.js';
import { delay } from '../machine/clock.js';
import { Kernel, type BootParameters } from '../machine/kernel.js';
import type { Machine } from '../machine/machine.js';
import type { BootCause } from '../options.js';
import { PROGRAMS } from '../programs/index.js';
import { SystemManager } from '../systemd/manager.js';
import { runGrub, type GrubOutcome } from './grub.js';
import { imageTree, unpackImage } from './initramfs-image.js';
import { initramfs } from './initramfs.js';
import { stage } from './stage.js';

const FIRMWARE_MS = 400;

/** Resolves when there is nothing more to boot: the system is up, or it hangs. */
export async function bootOnce(
  machine: Machine,
  cause: BootCause,
  signal: AbortSignal,
  kexec: BootParameters | null,
): Promise<void> {
  if (kexec !== null) {
    machine.print('kexec: Starting new kernel');
    return startKernel(machine, cause, signal, { ...kexec, bootId: randomUUID() }, null, [
      `/boot/initrd.img-${kexec.release}`,
    ]);
  }
  machine.enter('firmware');
  machine.print(`${machine.vendor} ${machine.model} BIOS, serial ${machine.serial}`);
  await stage(machine, 'firmware', '', signal);
  await delay(machine.options.bootMilliseconds ?? FIRMWARE_MS, signal);
  machine.enter('grub');
  machine.print('GNU GRUB  version 2.12');
  await stage(machine, 'grub', '', signal);
  const outcome = grub(machine);
  switch (outcome.kind) {
    case 'reboot':
      machine.restart('grub-reboot');
      return;
    case 'halt':
      machine.powerOff();
      return;
    case 'menu':
      machine.print(`grub> ${outcome.reason}`);
      machine.enter('grub-menu');
      return;
    case 'boot': {
      const release = outcome.kernel.replace(/^.*vmlinuz-?/, '') || kernelRelease(machine, outcome.kernel);
      const parameters = { bootId: randomUUID(), commandLine: outcome.args, release, root: new MemoryVolume() };
      return startKernel(machine, cause, signal, parameters, outcome.entry, outcome.initrds);
    }
  }
}

function grub(machine: Machine): GrubOutcome {
  return runGrub({
    readFile: (path) => {
      const entry = machine.disk.grub(path);
      if (entry?.kind === 'link') {
        const target = machine.disk.grub(
          entry.target.startsWith('/') ? entry.target : `${path.slice(0, path.lastIndexOf('/'))}/${entry.target}`,
        );
        return target?.kind === 'file' ? target.content : null;
      }
      return entry?.kind === 'file' ? entry.content : null;
    },
    writeFile: (path, content) => {
      if (machine.options.grubenvWritable === false) return false;
      if (machine.strike('grub-save-env', path, '')?.kind === 'refuse') return false;
      machine.disk.grubOverwrite(path, content);
      return true;
    },
    hasFileSystem: (uuid) => uuid === machine.rootUuid,
    print: (line) => machine.print(line),
  });
}

/** A copied kernel keeps its version inside. */
function kernelRelease(machine: Machine, path: string): string {
  const entry = machine.disk.grub(path);
  return (entry?.kind === 'file' ? /^\x7fKERNEL (\S+)/.exec(textOf(entry.content))?.[1] : undefined) ?? 'unknown';
}

async function startKernel(
  machine: Machine,
  cause: BootCause,
  signal: AbortSignal,
  given: BootParameters,
  entry: string | null,
  initrds: readonly string[],
): Promise<void> {
  const { commandLine } = given;
  // All of them are unpacked one over the other; only one holds an init, the others microcode.
  const [content = null] = initrds.flatMap((path) => {
    const image = machine.disk.grub(path);
    return (image?.kind === 'file' ? unpackImage(image.content) : null) ?? [];
  });
  const root = content === null ? given.root : new MemoryVolume(imageTree(content));
  root.set('/conf', root.get('/conf') ?? directory());
  const kernel = new Kernel(machine, { ...given, root }, PROGRAMS);
  machine.kernel = kernel;
  machine.record({ bootId: given.bootId, entry, commandLine, cause, startedAt: Date.now(), reached: 'kernel' });
  machine.enter('kernel');
  kernel.log(`Linux version ${given.release}`);
  kernel.log(`Command line: ${commandLine}`);
  if (kernel.iommu) kernel.log('DMAR: IOMMU enabled');
  await stage(machine, 'kernel', commandLine, signal);
  // Without an initrd nothing finds the root disk by UUID: the fake kernel has no nvme driver built in.
  if (content === null) {
    machine.panic('VFS: Unable to mount root fs on unknown-block(0,0)');
    return;
  }
  if (content.kernel !== given.release) {
    machine.panic(`VFS: Unable to mount root fs: the initrd is for ${content.kernel}`);
    return;
  }
  machine.enter('initramfs');
  machine.reached('initramfs');
  await initramfs(machine, kernel, signal);
  machine.disk.mount();
  kernel.switchRoot(machine.disk);
  machine.enter('system');
  machine.reached('system');
  const systemd = new SystemManager(kernel);
  kernel.systemd = systemd;
  if (await systemd.boot()) {
    machine.enter('up');
    machine.reached('up');
  } else {
    machine.enter('emergency');
    machine.reached('emergency');
  }
}
