/**
 * What can become of a boot, told once for every kind of host: the simulated rack and the machine that really boots must agree on it.
 * Faults are what an administrator could have done to the host: shell scripts, run as root.
 * @module
 */
import { KNOWN_GOOD_TOKEN } from '../../src/domain/boot/reboot.js';
import type { Outcome } from '../../src/domain/run/outcomes.js';
import type { RunStatus } from '../../src/domain/run/messages.js';

/** What a kernel was started from, by its command line. */
export type Entry = 'default' | 'known-good' | 'trial';

export const entryOf = (commandLine: string): Entry => {
  if (commandLine.includes('gpu-provision.trial=')) return 'trial';
  return commandLine.includes(KNOWN_GOOD_TOKEN) ? 'known-good' : 'default';
};

export interface Scenario {
  readonly name: string;
  /** On the host before the run begins. */
  readonly prepare?: string;
  /** On the host each time the question about the reboot is open. */
  readonly beforeEachAnswer?: string;
  /** Done once, while that question is open the first time. */
  readonly whenAsked?: 'cut-power';
  /** Questions that are asked; a power cut voids the first one. */
  readonly approvals: number;
  readonly ends: Extract<Outcome, 'provisioned' | 'restored' | 'refused'>;
  /** Every kernel that starts, in order. */
  readonly boots: readonly Entry[];
  readonly counts: RunStatus['counts'];
  /** GPU drivers at the end. */
  readonly drivers: 'vfio-pci' | 'native';
}

/**
 * A script of somebody else's in init-top, before our launcher; `body` runs in trial boots only. The shell of an initramfs without
 * busybox has few programs, so it reads the command line itself.
 */
export const inTrialInitramfs = (
  name: string,
  body: string,
): string => `cat > /etc/initramfs-tools/scripts/init-top/${name} <<'SCRIPT'
#!/bin/sh
case "$1" in prereqs) echo; exit 0 ;; esac
read -r line < /proc/cmdline
case "$line" in *gpu-provision.trial=*) ;; *) exit 0 ;; esac
${body}
SCRIPT
chmod 755 /etc/initramfs-tools/scripts/init-top/${name}`;

const ONE_REBOOT = { forwardReboots: 1, undoReboots: 0, powerCycles: 0 } as const;
const AND_BACK = { forwardReboots: 1, undoReboots: 1, powerCycles: 0 } as const;

/** `nativeDriver`: module that drives the GPUs of this host when nobody interferes. */
export const scenarios = (nativeDriver: string): readonly Scenario[] => [
  {
    name: 'nothing goes wrong',
    approvals: 1,
    ends: 'provisioned',
    boots: ['default', 'trial'],
    counts: ONE_REBOOT,
    drivers: 'vfio-pci',
  },
  {
    name: 'the native driver is loaded before the hook',
    // As a vendor's hook for an early network would, in every boot.
    prepare: `cat > /etc/initramfs-tools/scripts/init-top/00-early-driver <<'SCRIPT'
#!/bin/sh
case "$1" in prereqs) echo; exit 0 ;; esac
modprobe ${nativeDriver}
SCRIPT
chmod 755 /etc/initramfs-tools/scripts/init-top/00-early-driver`,
    approvals: 1,
    ends: 'restored',
    boots: ['default', 'trial', 'default'],
    counts: AND_BACK,
    drivers: 'native',
  },
  {
    name: 'the kernel panics',
    prepare: inTrialInitramfs('00-panic', 'echo c > /proc/sysrq-trigger'),
    approvals: 1,
    ends: 'restored',
    boots: ['default', 'trial', 'known-good', 'default'],
    counts: AND_BACK,
    drivers: 'native',
  },
  {
    name: 'the root file system is not found',
    prepare: inTrialInitramfs('00-no-root', 'echo ROOT=/dev/disk/by-uuid/gone >> /conf/param.conf'),
    approvals: 1,
    ends: 'restored',
    boots: ['default', 'trial', 'known-good', 'default'],
    counts: AND_BACK,
    drivers: 'native',
  },
  {
    name: 'one GPU of eight goes back to its native driver',
    // Without the words by which preflight would find it.
    prepare: inTrialInitramfs(
      'zz-one-back',
      `device=/sys/bus/pci/devices/0000:87:00.0
echo 0000:87:00.0 > $device/driver/unbind
for file in $device/driver_over*; do echo > "$file"; done
echo 0000:87:00.0 > /sys/bus/pci/drivers_probe`,
    ),
    approvals: 1,
    ends: 'restored',
    boots: ['default', 'trial', 'default'],
    counts: AND_BACK,
    drivers: 'native',
  },
  {
    name: 'the power is cut while the approval waits, and GRUB keeps what Ubuntu keeps after failed boots',
    beforeEachAnswer: 'grub-editenv - set initrdfail=1 prev_entry=1 recordfail=1; sync -f /boot/grub/grubenv',
    whenAsked: 'cut-power',
    approvals: 2,
    ends: 'provisioned',
    boots: ['default', 'known-good', 'trial'],
    counts: ONE_REBOOT,
    drivers: 'vfio-pci',
  },
];
