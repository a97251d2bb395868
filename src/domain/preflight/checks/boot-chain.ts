/** Whether GRUB can keep the promise: a one-shot that consumes itself, and a default that already booted. */
import { bad, good, listed, type Check } from '../check.js';

/** GRUB's environment block has this size and no other. */
const GRUBENV_BYTES = 1024;
/** Values that make GRUB boot something else once, or after a failure (Ubuntu's initrdfail block copies prev_entry to next_entry). */
const STICKY = ['next_entry', 'prev_entry', 'initrdfail'];

/** Without known-good GRUB has nothing to remember: the inventory asked for that. */
const unlessDirect = (_: unknown, spec: { readonly boot: { readonly strategy: string } }): 'warn' | 'block' =>
  spec.boot.strategy === 'direct' ? 'warn' : 'block';

export const BOOT_CHAIN_CHECKS: readonly Check[] = [
  {
    id: 'boot.grub',
    fails: 'block',
    evaluate: ({ boot }) => {
      const evidence = { fs: boot.grubFs, default: boot.defaultKernel };
      if (boot.grubFs === null)
        return bad('grub-probe cannot tell where /boot/grub is: no GRUB on this host', evidence);
      return boot.defaultKernel === null
        ? bad('the default entry of /boot/grub/grub.cfg cannot be told', evidence)
        : good(`GRUB boots vmlinuz-${boot.defaultKernel}`, evidence);
    },
    remedy: 'only GRUB with a generated grub.cfg is supported; run update-grub, and look at GRUB_DEFAULT',
  },
  {
    id: 'boot.file-system',
    fails: unlessDirect,
    evaluate: ({ boot }) => {
      const evidence = { mount: boot.mountFs, grub: boot.grubFs, options: boot.mountOptions };
      if (boot.mountFs !== 'ext4')
        return bad(`/boot/grub is on ${boot.mountFs ?? 'an unknown file system'}, expected ext4`, evidence);
      if (boot.mountOptions.includes('data=journal')) return bad('/boot/grub is mounted with data=journal', evidence);
      if (boot.mountOptions.includes('ro')) return bad('/boot/grub is mounted read-only', evidence);
      return good('/boot/grub is on ext4', evidence);
    },
    remedy:
      'GRUB does not replay journals: what was written there may be invisible to it. Use boot.strategy: direct with a BMC',
  },
  {
    id: 'boot.abstraction',
    fails: unlessDirect,
    evaluate: ({ boot }) => {
      if (boot.grubAbstraction === null) return bad('grub-probe cannot tell what /boot/grub lies on');
      return boot.grubAbstraction === ''
        ? good('/boot/grub is on a plain partition')
        : bad(`/boot/grub is on ${boot.grubAbstraction}: GRUB cannot write its environment there`);
    },
    remedy:
      'a one-shot could not consume itself and would repeat. Use boot.strategy: direct with a BMC, or a plain /boot',
  },
  {
    id: 'boot.environment',
    fails: unlessDirect,
    evaluate: ({ boot }) => {
      if (boot.grubenvBytes !== GRUBENV_BYTES)
        return bad(`/boot/grub/grubenv has ${boot.grubenvBytes ?? 'no'} bytes, expected ${GRUBENV_BYTES}`);
      return boot.grubenv === null ? bad('grub-editenv cannot read /boot/grub/grubenv') : good('grubenv is readable');
    },
    remedy: 'grub-editenv /boot/grub/grubenv create',
  },
  {
    id: 'boot.sticky-values',
    fails: 'block',
    forReboot: true,
    evaluate: ({ boot }) => {
      const set = STICKY.filter((name) => (boot.grubenv?.[name] ?? '') !== '').map(
        (name) => `${name}=${boot.grubenv?.[name]}`,
      );
      return set.length === 0 ? good('nothing is armed in grubenv') : bad(`armed in grubenv: ${listed(set)}`);
    },
    remedy: `find out who set it, then: grub-editenv - unset ${STICKY.join(' ')}`,
  },
  {
    id: 'boot.partuuid',
    fails: 'block',
    evaluate: ({ boot }) => {
      const forced = boot.settings['GRUB_FORCE_PARTUUID'] ?? '';
      return forced === ''
        ? good('GRUB_FORCE_PARTUUID is not set')
        : bad(`GRUB_FORCE_PARTUUID=${forced}: GRUB tries to boot without an initrd first, so no hook would run`);
    },
    remedy: 'remove /etc/default/grub.d/40-force-partuuid.cfg, run update-grub and reboot once',
  },
  {
    id: 'boot.custom-cfg',
    fails: 'block',
    evaluate: ({ boot }) =>
      boot.customCfg === 'foreign'
        ? bad("/boot/grub/custom.cfg is somebody else's")
        : good(boot.customCfg === 'ours' ? "custom.cfg is an earlier run's" : 'no custom.cfg'),
    remedy: 'move its entries to /etc/grub.d/40_custom and run update-grub: custom.cfg is read last and decides',
  },
  {
    id: 'boot.custom-cfg-read',
    fails: unlessDirect,
    evaluate: ({ boot }) =>
      boot.customCfgRead
        ? good('grub.cfg reads custom.cfg')
        : bad('/boot/grub/grub.cfg does not read custom.cfg: known-good could not be made the default'),
    remedy: 'make /etc/grub.d/41_custom executable and run update-grub',
  },
  {
    id: 'boot.timeout',
    fails: 'block',
    evaluate: ({ boot }) => {
      const endless = ['GRUB_TIMEOUT', 'GRUB_RECORDFAIL_TIMEOUT'].filter((name) => boot.settings[name] === '-1');
      return endless.length === 0
        ? good('the GRUB menu times out')
        : bad(`${listed(endless)} is -1: GRUB would wait for a key`);
    },
    remedy: 'set it to 5 in /etc/default/grub and run update-grub',
  },
  {
    id: 'boot.secure-boot',
    fails: 'warn',
    evaluate: ({ boot }) => {
      if (!boot.efi) return good('BIOS boot, no Secure Boot');
      if (boot.secureBoot === null) return bad('whether Secure Boot is on cannot be told (mokutil)');
      return boot.secureBoot ? bad('Secure Boot is on') : good('Secure Boot is off');
    },
    remedy:
      'DRBD is compiled on the host and not signed: it will not load. Switch Secure Boot off for replicated storage',
  },
  {
    id: 'boot.kexec',
    fails: 'block',
    forReboot: true,
    evaluate: ({ boot }) => {
      if (boot.kexecLoaded === null) return bad('whether a kexec kernel is loaded cannot be told');
      return boot.kexecLoaded
        ? bad('a kexec kernel is loaded: systemctl reboot would skip firmware and GRUB')
        : good('no kexec kernel');
    },
    remedy: 'kexec -u, and set LOAD_KEXEC=false in /etc/default/kexec',
  },
  {
    id: 'boot.soft-reboot',
    fails: 'block',
    forReboot: true,
    evaluate: ({ boot }) =>
      boot.nextroot
        ? bad('/run/nextroot exists: systemctl reboot would not leave this kernel')
        : good('no /run/nextroot'),
    remedy: 'umount or remove /run/nextroot',
  },
  {
    id: 'boot.fstab',
    fails: 'block',
    evaluate: ({ boot }) => {
      if (boot.fstab === null) return bad('findmnt cannot check /etc/fstab');
      return boot.fstab.ok ? good('/etc/fstab is valid') : bad(`/etc/fstab: ${boot.fstab.text}`);
    },
    remedy: 'correct it (findmnt --verify): a bad line sends every boot to emergency mode, known-good too',
  },
];
