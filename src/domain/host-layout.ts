/**
 * Where things are on a provisioned host. Every path the system writes is named here.
 * @module
 */

export const STATE_DIR = '/var/lib/gpu-provision';
export const LEDGER_DIR = `${STATE_DIR}/ledger`;
/** JSON `{run, workflowId, state, at}`, state open, committed or closed. */
export const LEDGER_STATE_FILE = `${LEDGER_DIR}/run`;
/** Taken with flock(1) around every mutation. */
export const LOCK_FILE = `${STATE_DIR}/lock`;
/** `RUN EPOCH`: who may change the host now. */
export const FENCE_FILE = `${STATE_DIR}/fence`;

/**
 * Copies of what booted, each in a folder of its own that is never changed once it is complete. Outside the names that
 * update-initramfs and update-grub look at.
 */
export const KNOWN_GOOD_DIR = '/boot/gpu-provision/known-good';
/** Holds the name of the copy that counts; written when that copy is complete. */
export const KNOWN_GOOD_CURRENT = `${KNOWN_GOOD_DIR}/current`;

/**
 * Who has the host, for people who log in: pam_motd shows it, and below /etc it outlives the reboot. The fence in words, so it is not in the
 * ledger: it comes with the claim and goes with the release, whatever becomes of the files of the run.
 */
export const NOTICE_PATH = '/etc/motd.d/gpu-provision';
/** Of the lines in the host's journal that tell the same as it changes. */
export const NOTICE_TAG = 'gpu-provision';

export const HOOK_PATH = '/etc/initramfs-tools/scripts/init-top/vfio-pci-override';
/** Sorts before `udev`, execs the hook. Without it the hook runs too late. */
export const LAUNCHER_PATH = '/etc/initramfs-tools/scripts/init-top/00-vfio-first';
export const INITRAMFS_MODULES_PATH = '/etc/initramfs-tools/modules';
/** Written by the hook, survives into the real root. */
export const HOOK_STATUS_PATH = '/run/initramfs/vfio-pci-override.status';

export const GRUB_CUSTOM_CFG = '/boot/grub/custom.cfg';
export const GRUB_CFG = '/boot/grub/grub.cfg';
export const GRUBENV = '/boot/grub/grubenv';
export const GRUB_DROP_IN = '/etc/default/grub.d/99-gpu-provision.cfg';
/** GRUB variable: set means that the next boot is the trial, once; at the end of an undo, the ordinary default. */
export const GRUB_TRIAL_VARIABLE = 'gp_trial';
export const KNOWN_GOOD_ENTRY = 'gpu-provision-known-good';
export const TRIAL_ENTRY = 'gpu-provision-trial';

export const DEAD_MAN_UNIT = 'gpu-provision-dead-man.service';
export const DEAD_MAN_UNIT_PATH = `/etc/systemd/system/${DEAD_MAN_UNIT}`;
/** Below /etc, which is on the root file system wherever systemd finds its units: the service waits for no other to be mounted. */
export const DEAD_MAN_SCRIPT_PATH = '/etc/gpu-provision/dead-man';
/** Its existence tells the dead-man service that the controller has seen this boot; holds the boot id. */
export const CONFIRMED_PATH = '/run/gpu-provision/confirmed';

/** The end of a run id: its beginning may be the time (UUIDv7), which runs of the same minute share. */
const unitPrefix = (runId: string): string => `gpu-provision-${runId.slice(-12)}-`;
/** Transient units of a run: long commands run as these. */
export const unitName = (runId: string, step: string): string =>
  `${unitPrefix(runId)}${step.replace(/[^a-z0-9]+/g, '-')}.service`;
/** As systemctl matches every transient unit of a run. */
export const unitPattern = (runId: string): string => `${unitPrefix(runId)}*.service`;
