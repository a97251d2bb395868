/**
 * The dead-man service: it lives only in trial boots (its unit asks for the run's token on the kernel command line), counts by
 * itself and reboots unless the controller has confirmed. A timer with OnBootSec was tried instead: it fires at once on a host
 * that has been up for longer, and never in emergency mode.
 * @module
 */
import { CONFIRMED_PATH, DEAD_MAN_SCRIPT_PATH } from '../host-layout.js';
import { trialToken } from './reboot.js';

/** Look for the confirmation this often, but at least ten times in the window. */
const LOOK_EVERY_SECONDS = 5;
/** If the orderly forced reboot hangs, the kernel is told directly after this long. */
const LAST_RESORT_SECONDS = 60;

export function renderDeadManUnit(runId: string): string {
  return `[Unit]
Description=gpu-provision: back to the known-good boot unless the controller confirms this trial
DefaultDependencies=no
ConditionKernelCommandLine=${trialToken(runId)}
Before=shutdown.target
Conflicts=shutdown.target

[Service]
Type=simple
ExecStart=${DEAD_MAN_SCRIPT_PATH}

[Install]
WantedBy=sysinit.target
`;
}

/** No `sync`: on a disk that hangs it never returns, and the host would stay in the trial. The forced reboot syncs, with a limit. */
export function renderDeadManScript(seconds: number): string {
  const step = Math.max(1, Math.min(LOOK_EVERY_SECONDS, Math.floor(seconds / 10)));
  return `#!/bin/sh
# Written by gpu-provision. The controller confirms by writing this boot's id into ${CONFIRMED_PATH}.
boot=$(cat /proc/sys/kernel/random/boot_id)
left=${seconds}
while [ "$left" -gt 0 ]; do
  if [ "$(cat ${CONFIRMED_PATH} 2>/dev/null)" = "$boot" ]; then exit 0; fi
  sleep ${step}
  left=$((left - ${step}))
done
echo "gpu-provision: not confirmed in ${seconds} s, rebooting into the known-good entry" > /dev/kmsg
systemctl reboot --force
sleep ${LAST_RESORT_SECONDS}
echo b > /proc/sysrq-trigger
`;
}
