/**
 * Out-of-band power control. Every method throws ProvisionError BmcUnavailable or SecretUnreadable.
 * @module
 */
import type { ServerSpec } from '../domain/spec.js';

export type PowerState = 'on' | 'off' | 'unknown';

export interface BmcIdentity {
  /** System serial as the BMC knows it; null where the protocol has none. */
  readonly serial: string | null;
  readonly model: string | null;
}

/** What the host writes to its serial line. A BMC hands it to one at a time. */
export interface BmcConsole {
  /** Whether the BMC is set up to hand it out. Says nothing of whether the host writes there. */
  isOn(signal?: AbortSignal): Promise<boolean>;
  /**
   * Takes the console, types nothing, and hands on what it says until the signal aborts; then gives it back and returns. Never takes it
   * from somebody. Throws BmcUnavailable when somebody has it, or takes it.
   */
  read(hear: (bytes: Uint8Array) => void, signal: AbortSignal): Promise<void>;
}

export interface Bmc {
  readonly kind: 'ipmi' | 'redfish';
  identity(signal?: AbortSignal): Promise<BmcIdentity>;
  powerState(signal?: AbortSignal): Promise<PowerState>;
  /** Asks the operating system to shut down and restart (ACPI). Returns when the BMC accepted it, not when it happened. */
  gracefulRestart(signal?: AbortSignal): Promise<void>;
  /** Off, wait until the BMC says off, wait a little, on, wait until it says on. */
  powerCycle(signal?: AbortSignal): Promise<void>;
  /** Turns on what is off, waits until the BMC says on. Does nothing to a machine that is on, so it may be repeated. */
  powerOn(signal?: AbortSignal): Promise<void>;
  /** The newest lines of the system event log, newest last; empty where there is none. */
  eventLog(signal?: AbortSignal): Promise<readonly string[]>;
  /** null where the protocol has none. */
  readonly console: BmcConsole | null;
}

export interface BmcProvider {
  /** null when the inventory says `bmc: none`. */
  get(spec: ServerSpec): Bmc | null;
}
