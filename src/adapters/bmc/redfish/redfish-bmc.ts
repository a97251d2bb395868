/**
 * A BMC over Redfish.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BmcSpec, ServerSpec } from '../../../domain/spec.js';
import type { Bmc, BmcIdentity, PowerState } from '../../../ports/bmc.js';
import { ProvisionError } from '../../../ports/failure.js';
import type { SecretSource } from '../../../ports/secrets.js';
import { readCredentials } from '../credentials.js';
import { ActionRefused, bmcUnavailable } from '../failure.js';
import type { BmcPacing } from '../pacing.js';
import { offThenOn, turnOn, type PowerControls } from '../power-cycle.js';
import { withLogin, type RedfishApi } from './api.js';
import { PinnedHttps } from './https.js';
import { ComputerSystem } from './schema.js';
import { findHost, listSystems, onlyResettable, resetActionOf, serialsOf, systemWithSerial } from './system.js';
import { readSystemLog } from './system-log.js';

/** A way to get a host to start anew, with the reset types it needs. */
interface Way {
  readonly needs: readonly [first: string, ...then: string[]];
  readonly how: 'off-then-on' | 'soft-off-then-on' | 'one-command' | 'accepted-is-enough';
}

/** In order of preference; the next is tried when the BMC lacks or declines one. */
const POWER_CYCLE: readonly Way[] = [
  // First, because each half can be seen to have happened; a BMC may accept a PowerCycle and do nothing.
  { needs: ['ForceOff', 'On'], how: 'off-then-on' },
  { needs: ['PowerCycle'], how: 'one-command' },
  // A warm reset leaves GPUs and NVSwitches powered: better than nothing.
  { needs: ['ForceRestart'], how: 'one-command' },
];

const GRACEFUL_RESTART: readonly Way[] = [
  { needs: ['GracefulRestart'], how: 'accepted-is-enough' },
  { needs: ['GracefulShutdown', 'On'], how: 'soft-off-then-on' },
];

export class RedfishBmc implements Bmc {
  readonly kind = 'redfish';
  /** Redfish tells of a serial console and how to reach it by SSH or IPMI; what it says is not to be had over HTTP. Source: DSP0268. */
  readonly console = null;
  private readonly where: string;

  constructor(
    private readonly spec: ServerSpec,
    private readonly bmc: Extract<BmcSpec, { kind: 'redfish' }>,
    private readonly secrets: SecretSource,
    private readonly pacing: BmcPacing,
  ) {
    this.where = `BMC of ${spec.name} (redfish ${bmc.url})`;
  }

  /** What the BMC says, also when that is not what the inventory says: to compare them is the caller's. */
  identity(signal?: AbortSignal): Promise<BmcIdentity> {
    return this.loggedIn(signal, async (api) => {
      const systems = await listSystems(api, signal);
      const known = systemWithSerial(systems, this.spec.serial);
      const system = known ?? onlyResettable(systems);
      const serial = known ? this.spec.serial : system && serialsOf(system)[0];
      return { serial: serial ?? null, model: system?.Model ?? null };
    });
  }

  powerState(signal?: AbortSignal): Promise<PowerState> {
    return this.withHost(signal, (_api, host) => Promise.resolve(stateOf(host)));
  }

  gracefulRestart(signal?: AbortSignal): Promise<void> {
    return this.restart(GRACEFUL_RESTART, signal);
  }

  powerCycle(signal?: AbortSignal): Promise<void> {
    return this.restart(POWER_CYCLE, signal);
  }

  powerOn(signal?: AbortSignal): Promise<void> {
    return this.withHost(signal, async (api, host) => {
      const { target } = await resetActionOf(api, host, signal);
      signal?.throwIfAborted();
      await this.explained('On', () => turnOn(controls(api, host['@odata.id'], target), this.pacing));
    });
  }

  eventLog(signal?: AbortSignal): Promise<readonly string[]> {
    return this.withHost(signal, (api, host) => readSystemLog(api, host, signal));
  }

  private restart(ways: readonly Way[], signal?: AbortSignal): Promise<void> {
    return this.withHost(signal, async (api, host) => {
      const { target, types } = await resetActionOf(api, host, signal);
      signal?.throwIfAborted();
      const power = controls(api, host['@odata.id'], target);
      const tried: string[] = [];
      if (stateOf(host) === 'off') return this.explained('On', () => turnOn(power, this.pacing));
      for (const way of ways) {
        const name = way.needs.join('+');
        if (types && !way.needs.every((type) => types.includes(type))) continue;
        try {
          return await this.explained(name, () => this.go(way, power));
        } catch (error) {
          if (!(error instanceof ActionRefused)) throw error;
          tried.push(`${name}: ${error.message}`);
        }
      }
      const wanted = ways.map((way) => way.needs.join('+')).join(', ');
      const why = tried.length > 0 ? `declined: ${tried.join('; ')}` : `it allows ${types?.join(', ') ?? 'nothing'}`;
      throw bmcUnavailable(this.where, `reset by ${wanted}`, why);
    });
  }

  private async go({ needs: [type], how }: Way, power: PowerControls & Resets): Promise<void> {
    const { pacing } = this;
    const off = { ...power, off: () => power.reset(type) };
    if (how === 'off-then-on') return offThenOn(off, { pacing, offLimitMs: pacing.offLimitMs });
    if (how === 'soft-off-then-on') return offThenOn(off, { pacing, offLimitMs: pacing.softOffLimitMs });
    await power.reset(type);
    if (how === 'accepted-is-enough') return;
    // The state still reads on at first. That the host started anew is shown by its boot id, not here.
    await delay(pacing.offPauseMs);
    await turnOn(power, pacing);
  }

  /** Errors about the power, not the network, still lack the name of the BMC. */
  private async explained(tried: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof ProvisionError || error instanceof ActionRefused || !(error instanceof Error)) throw error;
      throw bmcUnavailable(this.where, `reset by ${tried}`, error.message, error);
    }
  }

  private withHost<T>(
    signal: AbortSignal | undefined,
    work: (api: RedfishApi, host: ComputerSystem) => Promise<T>,
  ): Promise<T> {
    const { where } = this;
    const { serial } = this.spec;
    return this.loggedIn(signal, async (api) => work(api, await findHost(api, { serial, where, signal })));
  }

  private async loggedIn<T>(signal: AbortSignal | undefined, work: (api: RedfishApi) => Promise<T>): Promise<T> {
    const credentials = await readCredentials(this.secrets, this.bmc.credentials);
    const url = new URL(this.bmc.url);
    // A password is sent, so plain HTTP is no option even for a BMC that offers it.
    if (url.protocol !== 'https:') throw bmcUnavailable(this.where, 'log in', 'its URL must begin with https://');
    const https = new PinnedHttps(url, this.bmc.tlsFingerprint, this.pacing.answerLimitMs);
    return withLogin({ https, where: this.where, credentials, signal }, work);
  }
}

interface Resets {
  reset(type: string): Promise<void>;
}

function controls(api: RedfishApi, path: string, target: string): PowerControls & Resets {
  const reset = (type: string): Promise<void> => api.act(target, { ResetType: type });
  return {
    reset,
    state: async () => stateOf(await api.get(path, ComputerSystem)),
    off: () => reset('ForceOff'),
    on: () => reset('On'),
  };
}

/** PoweringOn, PoweringOff and Paused are neither on nor off. */
function stateOf({ PowerState: state }: ComputerSystem): PowerState {
  if (state === 'On') return 'on';
  return state === 'Off' ? 'off' : 'unknown';
}
