/** What boots now, what would boot next, and who builds boot images. */
import { bad, good, listed, type Check } from '../check.js';
import type { HostFacts } from '../facts.js';

export const KERNEL_CHECKS: readonly Check[] = [
  {
    id: 'kernel.pending',
    fails: 'block',
    forReboot: true,
    evaluate: ({ identity, boot }) => {
      const running = identity.kernel;
      const newest =
        boot.images
          .map((image) => image.kernel)
          .toSorted(byVersion)
          .at(-1) ?? null;
      const evidence = { running, newest, default: boot.defaultKernel };
      if (running === null || newest === null) return bad('the running kernel or its boot image is unknown', evidence);
      if (newest !== running) return bad(`${running} runs, but ${newest} is installed and would boot next`, evidence);
      if (boot.defaultKernel !== running)
        return bad(`${running} runs, but the default entry is ${boot.defaultKernel ?? 'unknown'}`, evidence);
      return good(`${running} runs, is the newest and the default`, evidence);
    },
    remedy: 'reboot into the new kernel first: kernel and hook must not change in the same boot',
  },
  {
    id: 'kernel.reboot-required',
    fails: 'warn',
    forReboot: true,
    evaluate: ({ boot }) =>
      boot.rebootRequired
        ? bad(`packages ask for a reboot: ${listed(boot.rebootRequiredBy) || 'no names given'}`)
        : good('no package asks for a reboot'),
    remedy: 'the reboot of this run does that too; to keep the causes apart reboot first',
  },
  {
    id: 'initrd.booted',
    fails: 'block',
    forReboot: true,
    evaluate: ({ identity, boot }) => {
      const image = boot.images.find((found) => found.kernel === identity.kernel);
      const evidence = { mtime: image?.mtime ?? null, bootTime: boot.bootTime, knownGood: boot.knownGood };
      if (boot.knownGood) return good('a known-good copy of what booted is in place', evidence);
      if (image === undefined || boot.bootTime === null)
        return bad(
          `no boot image of the running kernel ${identity.kernel ?? ''}, or its boot time is unknown`,
          evidence,
        );
      return image.mtime < boot.bootTime
        ? good('the boot image in place is the one that booted', evidence)
        : bad('the boot image was rebuilt after this boot: nobody knows whether it boots', evidence);
    },
    remedy: 'reboot once by hand, so that the image in place has proven itself, then start again',
  },
  {
    id: 'initramfs.generator',
    fails: 'block',
    evaluate: ({ initramfs }) => {
      if (initramfs.dracut)
        return bad('dracut is installed: it ignores /etc/initramfs-tools, the hook would never run');
      return initramfs.owner === 'initramfs-tools'
        ? good('update-initramfs belongs to initramfs-tools')
        : bad(`update-initramfs belongs to ${initramfs.owner ?? 'no package'}, expected initramfs-tools`);
    },
    remedy: 'apt-get install initramfs-tools, remove dracut, reboot once',
  },
  {
    id: 'initramfs.enabled',
    fails: 'block',
    evaluate: ({ initramfs }) =>
      initramfs.updateInitramfs === 'yes' || initramfs.updateInitramfs === 'all'
        ? good(`update_initramfs=${initramfs.updateInitramfs}`)
        : bad(`update_initramfs=${initramfs.updateInitramfs ?? 'unset'}: rebuilding would do nothing and exit with 0`),
    remedy: 'set update_initramfs=yes in /etc/initramfs-tools/update-initramfs.conf',
  },
  {
    id: 'initramfs.foreign-scripts',
    fails: 'warn',
    evaluate: ({ initramfs }) =>
      initramfs.initTop.length === 0
        ? good('no foreign script in init-top')
        : bad(`foreign scripts in init-top: ${listed(initramfs.initTop)}`, { scripts: initramfs.initTop.length }),
    remedy:
      'read them: they run beside the hook, before the root file system is there, and nothing stops one that hangs',
  },
  {
    id: 'driver.other-override',
    fails: 'block',
    evaluate: ({ initramfs, identity }) => {
      const writers = [
        ...initramfs.overrideWriters,
        ...words(identity.commandLine).filter((word) => /^vfio[-_]pci\.ids=|^module_blacklist=.*vfio/.test(word)),
      ];
      return writers.length === 0
        ? good('nothing else decides about vfio or driver_override')
        : bad(`also decides about drivers: ${listed(writers)}`, { writers: writers.slice(0, 5) });
    },
    remedy: 'take these settings away: two writers make it a race which driver gets a device',
  },
];

export const words = (commandLine: string | null): readonly string[] => (commandLine ?? '').split(/\s+/);

/** Numbers compare as numbers: `6.8.0-100` is newer than `6.8.0-60`. */
export function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

export const runningImage = ({
  identity,
  boot,
}: Pick<HostFacts, 'identity' | 'boot'>): { readonly initrd: number; readonly kernel: number } => ({
  initrd: boot.images.find((image) => image.kernel === identity.kernel)?.bytes ?? 0,
  kernel: boot.kernels[identity.kernel ?? ''] ?? 0,
});
