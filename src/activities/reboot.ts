/**
 * The reboot as a protocol: guarded by the boot id on the host, recorded before it is asked, and judged by what boots.
 * @module
 */
import { heartbeat } from '@temporalio/activity';
import { setTimeout as delay } from 'node:timers/promises';
import {
  classifyBoot,
  parseBootReading,
  type BootOutcome,
  type BootReading,
  type ExpectedBoot,
} from '../domain/boot/reboot.js';
import { STATE_DIR } from '../domain/host-layout.js';
import type { ServerSpec } from '../domain/spec.js';
import { ProvisionError } from '../ports/failure.js';
import type { FailureType } from '../domain/run/failures.js';
import type { Bmc, PowerState } from '../ports/bmc.js';
import type { HostProvider } from '../ports/host.js';
import { quietly } from '../tracing/span.js';
import { contextOf, reporting, type Adapters, type StepInput } from './define-step.js';
import { REBOOT_IF } from './host/boot-scripts.js';
import { setTrialOrder } from './host/boot.js';
import { postNotice } from './host/notice.js';

/** One attempt probes for this long; the activity's retries do the rest, so the history doesn't grow with waiting. */
const ATTEMPT_MS = 30_000;
const PROBE_EVERY_MS = 500;
/** Connect, handshake and one cat. A booting host accepts TCP long before sshd answers. */
const PROBE_TIMEOUT_MS = 8_000;
/** Two readings this far apart must show the same boot: a host that loops is caught between them. */
const CONFIRM_GAP_MS = 5_000;
/** Fresh probes before anybody is escalated against. */
const LOOK_PROBES = 5;
/** Every reboot that was asked for, one line each: time, boot id it ended, purpose. Survives everything but the disk. */
const REBOOT_LOG = `${STATE_DIR}/reboots.log`;

/** The worker or its bastion can't look at all, or the host with the pinned key is there and refuses: no sign that the host is dead. */
const BLIND: readonly FailureType[] = [
  'SecretUnreadable',
  'AuthenticationFailed',
  'BastionUnreachable',
  'BastionRefused',
];

const EXIT_OTHER_BOOT = 44;

export interface RebootInput extends StepInput, ExpectedBoot {
  /** 1 for the first reboot of the run. */
  readonly number: number;
  readonly purpose: 'forward' | 'undo';
}

export interface LeftResult {
  /** ISO 8601 of the last answer of the old boot; null when it never answered. */
  readonly leftAt: string;
}

export interface BmcLook {
  readonly kind: 'ipmi' | 'redfish';
  readonly power: 'on' | 'off' | 'unknown';
  readonly eventLog: readonly string[];
}

export interface BmcAction {
  /** false when fresh probes showed the host alive: then nothing was done to it. */
  readonly done: boolean;
  readonly evidence: string;
}

type Probe =
  | { readonly kind: 'reading'; readonly reading: BootReading }
  | { readonly kind: 'silent'; readonly why: string; readonly error?: ProvisionError }
  | { readonly kind: 'foreign-key'; readonly why: string };

export interface RebootActivities {
  'reboot.arm'(input: StepInput): Promise<void>;
  'reboot.disarm'(input: StepInput): Promise<void>;
  'reboot.request'(input: RebootInput): Promise<{ asked: boolean }>;
  'reboot.await-left'(input: RebootInput): Promise<LeftResult>;
  'reboot.await-return'(input: RebootInput): Promise<BootOutcome>;
  'reboot.look'(input: RebootInput): Promise<BootOutcome>;
  'bmc.look'(input: StepInput): Promise<BmcLook | null>;
  'bmc.graceful-restart'(input: RebootInput): Promise<BmcAction>;
  /** Never retried: the caller counts it before it goes out. */
  'bmc.power-cycle'(input: RebootInput): Promise<BmcAction>;
  /** Turns on what is off, for as long as it takes; no power cycle, and safe to repeat. Says what the power is then. */
  'bmc.power-on'(input: StepInput): Promise<PowerState>;
}

export function rebootActivities(adapters: Adapters): RebootActivities {
  return {
    'reboot.arm': (input) =>
      reporting(async () => {
        const ctx = contextOf(adapters, input);
        await postNotice(ctx, 'arms one boot, and asks for a reboot', 'about-to-arm');
        await setTrialOrder(ctx.host, '1');
      }),
    'reboot.disarm': (input) =>
      reporting(async () => {
        const ctx = contextOf(adapters, input);
        await setTrialOrder(ctx.host, '');
        await postNotice(ctx, 'disarmed');
      }),

    /** `asked` is false when the host is in another boot already: an earlier attempt did it. */
    'reboot.request': (input) =>
      reporting(async () => {
        const { host } = contextOf(adapters, input);
        const note = `${input.purpose} ${input.number} run ${input.run.id}`;
        const argv = ['sh', '-c', REBOOT_IF, 'gpu-provision', input.oldBootId, REBOOT_LOG, note];
        const result = await host.tryChange(argv);
        if (result.exitCode === EXIT_OTHER_BOOT) return { asked: false };
        // Ended by a signal: by the very shutdown, perhaps. Asked again, the host says which boot it is in.
        if (result.exitCode === null) throw new ProvisionError('LinkLost', 'the request to reboot was cut off');
        if (result.exitCode !== 0) {
          throw new ProvisionError('CommandFailed', `the host refuses to reboot: ${result.stderr.trim()}`);
        }
        return { asked: true };
      }),

    'reboot.await-left': (input) =>
      waiting(async () => {
        const end = Date.now() + ATTEMPT_MS;
        while (Date.now() < end) {
          const probe = await probeHost(adapters.hosts, input.spec);
          heartbeat();
          const runsOldBoot = probe.kind === 'reading' && probe.reading.bootId === input.oldBootId;
          if (!runsOldBoot && blindness(probe) === null) {
            return { leftAt: new Date().toISOString() };
          }
          await delay(PROBE_EVERY_MS, undefined, { signal: contextOf(adapters, input).signal });
        }
        throw new ProvisionError('NotBackYet', 'the host still runs the boot that was asked to end');
      }),

    'reboot.await-return': (input) =>
      waiting(async () => {
        const { signal } = contextOf(adapters, input);
        const end = Date.now() + ATTEMPT_MS;
        let last = 'no answer yet';
        while (Date.now() < end) {
          const probe = await probeHost(adapters.hosts, input.spec);
          heartbeat();
          if (probe.kind === 'foreign-key') return foreignKey(probe.why);
          if (probe.kind === 'reading' && probe.reading.bootId !== input.oldBootId) {
            const seenAt = new Date().toISOString();
            await delay(CONFIRM_GAP_MS, undefined, { signal });
            const again = await probeHost(adapters.hosts, input.spec);
            if (again.kind === 'reading') return outcomeOf(probe.reading, again.reading, input, seenAt);
            last = `boot ${probe.reading.bootId} answered once, then not`;
          } else {
            last = probe.kind === 'reading' ? 'the old boot answers' : probe.why;
          }
          await delay(PROBE_EVERY_MS, undefined, { signal });
        }
        throw new ProvisionError('NotBackYet', last);
      }),

    'reboot.look': (input) => reporting(() => lookAtHost(adapters.hosts, input, contextOf(adapters, input).signal)),

    'bmc.look': (input) =>
      reporting(async () => {
        const { bmc, signal } = contextOf(adapters, input);
        if (bmc === null) return null;
        const power = await bmc.powerState(signal);
        return { kind: bmc.kind, power, eventLog: (await bmc.eventLog(signal)).slice(-10) };
      }),

    'bmc.graceful-restart': (input) => bmcAction(adapters, input, (bmc, signal) => bmc.gracefulRestart(signal)),
    'bmc.power-cycle': (input) => bmcAction(adapters, input, (bmc, signal) => bmc.powerCycle(signal)),

    'bmc.power-on': (input) =>
      reporting(async () => {
        const { signal } = contextOf(adapters, input);
        const bmc = bmcOf(adapters, input);
        await bmc.powerOn(signal);
        return powerNow(bmc, signal);
      }),
  };
}

/** Two probes a second, most of which fail: what the last one saw is in the attempt's failure. */
const waiting = <T>(body: () => Promise<T>): Promise<T> => reporting(() => quietly(body));

function bmcOf(adapters: Adapters, input: StepInput): Bmc {
  const bmc = adapters.bmcs.get(input.spec);
  if (bmc === null) throw new ProvisionError('BmcUnavailable', 'the inventory says bmc: none');
  return bmc;
}

/** Never against a host that answers: the controller may have been blind, not the host dead. */
function bmcAction(
  adapters: Adapters,
  input: RebootInput,
  act: (bmc: Bmc, signal: AbortSignal) => Promise<void>,
): Promise<BmcAction> {
  return reporting(async () => {
    const { signal } = contextOf(adapters, input);
    const bmc = bmcOf(adapters, input);
    const fresh = await lookAtHost(adapters.hosts, input, signal);
    if (fresh.kind !== 'left-not-back') return { done: false, evidence: `the host answers: ${fresh.evidence}` };
    const before = await powerNow(bmc, signal);
    await act(bmc, signal);
    return { done: true, evidence: `power was ${before}, is ${await powerNow(bmc, signal)}` };
  });
}

/** For the record only: a BMC that doesn't answer after it acted must not make a retry act once more, into the boot. */
async function powerNow(bmc: Bmc, signal: AbortSignal): Promise<PowerState> {
  try {
    return await bmc.powerState(signal);
  } catch (error) {
    if (error instanceof ProvisionError && error.type === 'BmcUnavailable') return 'unknown';
    throw error;
  }
}

/** What the host is now, by fresh connections. Answers whatever it is; throws when the fault is on our side. */
async function lookAtHost(hosts: HostProvider, input: RebootInput, signal: AbortSignal): Promise<BootOutcome> {
  let why = 'no answer';
  let blind: ProvisionError | null = null;
  for (let i = 0; i < LOOK_PROBES; i += 1) {
    const probe = await probeHost(hosts, input.spec);
    heartbeat();
    if (probe.kind === 'foreign-key') return foreignKey(probe.why);
    if (probe.kind === 'reading') {
      const kind = classifyBoot(probe.reading, input, i > 0);
      return { kind, ...seen(probe.reading), seenAt: new Date().toISOString() };
    }
    why = probe.why;
    blind = blindness(probe);
    await delay(PROBE_EVERY_MS, undefined, { signal });
  }
  if (blind !== null) throw blind;
  return { kind: 'left-not-back', bootId: null, commandLine: null, seenAt: null, evidence: why };
}

/** Why a probe says nothing about the host, or null when it does. */
function blindness(probe: Probe): ProvisionError | null {
  return probe.kind === 'silent' && probe.error !== undefined && BLIND.includes(probe.error.type) ? probe.error : null;
}

function outcomeOf(first: BootReading, second: BootReading, expected: ExpectedBoot, seenAt: string): BootOutcome {
  const kind = first.bootId === second.bootId ? classifyBoot(second, expected, true) : 'flapping';
  return { kind, ...seen(second), seenAt };
}

function seen(reading: BootReading): Pick<BootOutcome, 'bootId' | 'commandLine' | 'evidence'> {
  return {
    bootId: reading.bootId,
    commandLine: reading.commandLine.slice(0, 1_000),
    evidence: `boot ${reading.bootId}, up ${Math.round(reading.uptimeSeconds)} s`,
  };
}

function foreignKey(why: string): BootOutcome {
  return { kind: 'host-key-changed', bootId: null, commandLine: null, seenAt: new Date().toISOString(), evidence: why };
}

/** One fresh connection. Anything but a well-formed reading is silence: unknown is never new. */
async function probeHost(hosts: HostProvider, spec: ServerSpec): Promise<Probe> {
  try {
    const result = await hosts
      .get(spec)
      .execFresh(['cat', '/proc/sys/kernel/random/boot_id', '/proc/uptime', '/proc/cmdline'], {
        timeoutMs: PROBE_TIMEOUT_MS,
        sudo: false,
      });
    const reading = result.exitCode === 0 ? parseBootReading(result.stdout) : null;
    if (reading === null) return { kind: 'silent', why: `garbled answer, exit ${String(result.exitCode)}` };
    return { kind: 'reading', reading };
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    if (error.type === 'HostKeyChanged' || error.type === 'HostKeyUnknown')
      return { kind: 'foreign-key', why: error.message };
    return { kind: 'silent', why: error.message, error };
  }
}
