/**
 * "As before" on a machine that really boots: everything below /etc, /boot and /usr/local, except what phase 2 leaves and says so.
 * @module
 */

/** What phase 2 leaves on the host, as it says in its report. */
const PHASE_2 =
  / \/etc\/(modules-load\.d\/|sysctl\.d\/|lvm\/|multipath\/|iscsi\/|containerd|systemd\/system\/.*(iscsid|multipathd))| \/boot\/gpu-provision(\/|$)| \/etc\/rc\w\.d\/\w+iscsid$/;
/** GRUB and its service write their own notes there at every boot. */
const GRUBENV = / \/boot\/grub\/grubenv$/;

/** Phase 2 makes known-good the default before anything else. Undo takes that back with the rest. */
const KNOWN_GOOD_DEFAULT = /^- f .* \/boot\/grub\/custom\.cfg$/;

/** Lines that are only in one of the snapshots. */
export function changes(before: readonly string[], after: readonly string[]): readonly string[] {
  const gone = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`);
  const allowed = [PHASE_2, GRUBENV, KNOWN_GOOD_DEFAULT];
  return [...gone, ...come].filter((line) => !allowed.some((pattern) => pattern.test(line)));
}
