/**
 * How much a worker takes on at a time and how long it takes to stop. Apart from the worker, which is heavy to load: the command line needs
 * only this.
 * @module
 */
export interface WorkerLimit {
  readonly usual: number;
  readonly least: number;
  readonly most: number;
  /** What is counted, for people. */
  readonly what: string;
}

export const WORKER_LIMITS = {
  hostChanges: {
    usual: 20,
    least: 1,
    most: 1_000,
    // Each holds an SSH session and may run apt or update-initramfs. A run does one at a time, so a host that hangs holds one.
    what: 'changes to hosts at a time, for each site',
  },
  watches: {
    usual: 1_000,
    least: 1,
    most: 10_000,
    // Probes and waits hold next to nothing. Fewer than there are waiting hosts would make those take turns.
    what: 'probes and waits at a time, for each site',
  },
  graceSeconds: {
    usual: 30,
    least: 0,
    most: 3_600,
    // Commands of seconds end in it; longer ones go on on the host, and the next worker finds them again.
    what: 'seconds that a stopping worker gives to what it has begun, before it hands it back',
  },
} as const satisfies Record<string, WorkerLimit>;

export type WorkerLimits = { readonly [L in keyof typeof WORKER_LIMITS]: number };
