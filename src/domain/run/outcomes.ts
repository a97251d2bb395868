/**
 * How a run can end, and what each ending promises. Exit codes are part of the interface.
 * @module
 */

export const OUTCOMES = {
  provisioned: { exit: 0, means: 'all phases verified' },
  decommissioned: {
    exit: 0,
    means: "the GPUs are back on the host's own drivers; the host is verified to be as before",
  },
  rebooted: { exit: 0, means: 'the host runs its proven entry after a reboot, and is verified there' },
  upgraded: { exit: 0, means: 'the host runs the newer kernel, which is verified and the default' },
  restored: {
    exit: 3,
    means:
      'GPU isolation, or an upgrade of the kernel, failed or was cancelled; the host is verified to be as before it',
  },
  'needs-hands': { exit: 4, means: 'the host cannot be proven safe; the run waits for a person and `resume`' },
  rejected: { exit: 5, means: 'the reboot was rejected; what was staged is taken away, no reboot happened' },
  expired: { exit: 5, means: 'nobody decided in time; what was staged is taken away, no reboot happened' },
  incomplete: { exit: 6, means: 'a phase was given up or cancelled; what is in place is verified and listed' },
  refused: { exit: 7, means: 'preflight blocks; nothing was changed' },
} as const satisfies Record<string, { exit: number; means: string }>;

export type Outcome = keyof typeof OUTCOMES;

/** Exit codes of the commands that are not outcomes of a run. */
export const EXIT = { done: 0, bug: 1, badInput: 2, unreachable: 8, alreadyRunning: 9, drift: 10 } as const;
