/**
 * What can happen at any step of a run, as data: one list for every tier that quantifies over steps and faults.
 * @module
 */

/** Before its first command, while its command runs on the host, or after its effect and before its answer. */
export type FaultPoint = 'before' | 'during' | 'after';

export interface FaultKind {
  readonly what: string;
  readonly points: readonly FaultPoint[];
  /** Whether a run must end as without it (S5). */
  readonly harmless: boolean;
}

export const FAULTS = {
  fails: { what: 'an attempt fails, and another one may help', points: ['before', 'after'], harmless: true },
  'fails-for-good': { what: 'the step fails for good', points: ['before', 'after'], harmless: false },
  'times-out': {
    what: 'an attempt hangs until it is given up, and goes on then',
    points: ['before', 'during', 'after'],
    harmless: true,
  },
  'link-lost': { what: 'the connection breaks; the command goes on', points: ['during'], harmless: true },
  'worker-killed': {
    what: 'the worker is killed; the command goes on',
    points: ['before', 'during', 'after'],
    harmless: true,
  },
  'server-restarted': {
    what: 'Temporal is away for a while',
    points: ['before', 'during', 'after'],
    harmless: true,
  },
  cancelled: { what: 'somebody cancels the run', points: ['before', 'during', 'after'], harmless: false },
  'host-rebooted': { what: 'somebody else reboots the host', points: ['before', 'during', 'after'], harmless: false },
  'power-cut': { what: 'the host loses its power and gets it back', points: ['before', 'after'], harmless: false },
  'host-key-changed': { what: 'another host key answers', points: ['before', 'after'], harmless: false },
  drifted: { what: 'somebody changes what is staged', points: ['before', 'after'], harmless: false },
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof FAULTS;

/** A fault at its address: never a time, so that it strikes the same act at every replay. */
export interface Fault {
  readonly kind: FaultName;
  /** Name of an activity. */
  readonly at: string;
  /** Which call of it in the run, first is 1. */
  readonly call: number;
  /** Which attempt of that call, first is 1; 0 is whichever comes to the point first. */
  readonly attempt: number;
  readonly point: FaultPoint;
  /** How long Temporal or the worker is away. */
  readonly awaySeconds: number;
}
