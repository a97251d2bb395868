/**
 * What a simulated BMC is told when it starts.
 * @module
 */

/** The machine behind the BMC. */
export interface BmcPower {
  state(): 'on' | 'off';
  on(): void | Promise<void>;
  /** Cuts the power. */
  off(): void | Promise<void>;
  /** Off and on, seen from outside as one. */
  cycle(): void | Promise<void>;
  /** Tells the operating system to restart, as the power button would; it may ignore that. */
  gracefulRestart(): void | Promise<void>;
}

/** How a BMC misbehaves. */
export type BmcFaultEffect =
  /** Takes the connection and never answers. */
  | 'no-answer'
  /** Refuses every login, as after a password rotation. */
  | 'wrong-credentials'
  /** The same, and says in its refusal which password was sent. */
  | 'repeats-password'
  /** Declines to cut or cycle the power. */
  | 'power-cycle-refused'
  /** Accepts a reset and does nothing. */
  | 'reset-ignored'
  /** Has no session left to give. */
  | 'sessions-exhausted';

export interface BmcFault {
  readonly effect: BmcFaultEffect;
  /** How often it strikes; without limit when left out. */
  readonly times?: number;
}

export interface BmcOptions {
  /** DMI serial of the host. */
  readonly serial: string;
  readonly model: string;
  readonly power: BmcPower;
  readonly credentials: { readonly user: string; readonly password: string };
  /** Looked at with every request, so a caller may add to its array at any time. */
  readonly faults?: readonly BmcFault[];
  /** How long a power transition takes, default 50 ms. */
  readonly transitionMs?: number;
  /** Reset types the BMC offers, default all that it knows. */
  readonly resetTypes?: readonly ResetType[];
  /** Where it tells them: in the system itself, or in a resource of their own. BMCs do either. */
  readonly resetTypesAre?: 'inline' | 'in-action-info';
}

export const RESET_TYPES = ['On', 'ForceOff', 'GracefulRestart', 'ForceRestart', 'PowerCycle'] as const;
export type ResetType = (typeof RESET_TYPES)[number];

export interface SimulatedBmc {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  /** `sha256:` and 64 hex digits: the pin for the inventory. */
  readonly tlsFingerprint: string;
  /** Resets that reached the machine, in order. */
  readonly resets: readonly ResetType[];
  /** Sessions that nobody has deleted. */
  openSessions(): number;
  close(): Promise<void>;
}
