/**
 * A BMC over IPMI 2.0.
 * @module
 */
import type { BmcSpec, ServerSpec } from '../../../domain/spec.js';
import type { Bmc, BmcConsole, BmcIdentity, PowerState } from '../../../ports/bmc.js';
import type { SecretSource } from '../../../ports/secrets.js';
import { readCredentials } from '../credentials.js';
import { ActionRefused, bmcUnavailable } from '../failure.js';
import type { BmcPacing } from '../pacing.js';
import { offThenOn, turnOn, type PowerControls } from '../power-cycle.js';
import { EVENT_LOG_LINES } from '../event-log.js';
import { ipmitool, type IpmitoolRun } from './ipmitool.js';
import { parseEventLog, parseFruField, parsePowerStatus, parseSolEnabled } from './output.js';
import { readSerialOverLan } from './serial-over-lan.js';

/** What ipmitool says when the BMC accepted a chassis control command. */
const ACCEPTED = {
  on: 'Chassis Power Control: Up/On',
  off: 'Chassis Power Control: Down/Off',
  soft: 'Chassis Power Control: Soft',
} as const;

export class IpmiBmc implements Bmc {
  readonly kind = 'ipmi';
  private readonly where: string;

  readonly console: BmcConsole = {
    isOn: async (signal) => {
      const args = ['sol', 'info'];
      const out = await this.ask(args, signal);
      const isOn = parseSolEnabled(out);
      if (isOn === null) throw this.notUnderstood(args, out);
      return isOn;
    },
    read: async (hear, signal) => readSerialOverLan(await this.run(signal), hear, signal),
  };

  constructor(
    spec: ServerSpec,
    private readonly bmc: Extract<BmcSpec, { kind: 'ipmi' }>,
    private readonly secrets: SecretSource,
    private readonly pacing: BmcPacing,
  ) {
    this.where = `BMC of ${spec.name} (ipmi ${bmc.host}:${bmc.port})`;
  }

  async identity(signal?: AbortSignal): Promise<BmcIdentity> {
    // A BMC whose FRU 0 is not the system's has no serial to tell; that is no failure.
    const fru = await this.ask(['fru', 'print', '0'], signal).catch(async () => {
      await this.powerState(signal);
      return '';
    });
    return { serial: parseFruField(fru, 'Product Serial'), model: parseFruField(fru, 'Product Name') };
  }

  async powerState(signal?: AbortSignal): Promise<PowerState> {
    const args = ['chassis', 'power', 'status'];
    const out = await this.ask(args, signal);
    const state = parsePowerStatus(out);
    if (state === null) throw this.notUnderstood(args, out);
    return state;
  }

  /** IPMI knows a soft shutdown and no restart, so the host is turned on again once it is off. */
  async gracefulRestart(signal?: AbortSignal): Promise<void> {
    await this.restart('soft', this.pacing.softOffLimitMs, signal);
  }

  async powerCycle(signal?: AbortSignal): Promise<void> {
    await this.restart('off', this.pacing.offLimitMs, signal);
  }

  async powerOn(signal?: AbortSignal): Promise<void> {
    await this.powerState(signal);
    signal?.throwIfAborted();
    const power = { state: () => this.powerState(), on: () => this.control('on') };
    await this.explained('on', () => turnOn(power, this.pacing));
  }

  /**
   * `sel list` and not `sel elist`: for the sensors' names the latter reads the whole sensor repository, which takes a minute on
   * some BMCs, and where that is empty ipmitool erases and rebuilds it, in a command that should only look.
   */
  async eventLog(signal?: AbortSignal): Promise<readonly string[]> {
    return parseEventLog(await this.ask(['sel', 'list', 'last', String(EVENT_LOG_LINES)], signal));
  }

  private async restart(how: 'soft' | 'off', offLimitMs: number, signal?: AbortSignal): Promise<void> {
    const state = await this.powerState(signal);
    signal?.throwIfAborted();
    const power: PowerControls = {
      state: () => this.powerState(),
      off: () => this.control(how),
      on: () => this.control('on'),
    };
    await this.explained(`${how}, then on`, async () => {
      if (state === 'off') await turnOn(power, this.pacing);
      else await offThenOn(power, { pacing: this.pacing, offLimitMs });
    });
  }

  private async explained(tried: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw error instanceof Error && error.name !== 'ProvisionError'
        ? bmcUnavailable(this.where, `chassis power ${tried}`, error.message, error)
        : error;
    }
  }

  private async control(command: keyof typeof ACCEPTED): Promise<void> {
    const args = ['chassis', 'power', command];
    const out = await this.ask(args).catch((error: unknown) => {
      const refusal = error instanceof Error && /Set Chassis Power Control to .* failed: .*/.exec(error.message);
      throw refusal ? new ActionRefused(refusal[0], { cause: error }) : error;
    });
    if (out.trim() !== ACCEPTED[command]) throw this.notUnderstood(args, out);
  }

  private async ask(args: readonly string[], signal?: AbortSignal): Promise<string> {
    return ipmitool(args, await this.run(signal));
  }

  private async run(signal: AbortSignal | undefined): Promise<IpmitoolRun> {
    const credentials = await readCredentials(this.secrets, this.bmc.credentials);
    return { where: this.where, endpoint: this.bmc, credentials, limitMs: this.pacing.answerLimitMs, signal };
  }

  private notUnderstood(args: readonly string[], out: string): Error {
    return bmcUnavailable(this.where, `ipmitool ${args.join(' ')}`, `unexpected answer: ${out.trim().slice(0, 200)}`);
  }
}
