/**
 * Plays one row of the table on a host. The same for every kind of host, since that is what the table is for.
 * @module
 */
import type { RunStatus } from '../../src/domain/run/messages.js';
import type { ProvisionRun } from '../support/provision-run.js';
import { changes } from './as-before.js';
import { entryOf, type Entry, type Scenario } from './scenarios.js';

export interface Stage {
  /** Module that drives the GPUs when nobody interferes. */
  readonly nativeDriver: string;
  readonly gpus: readonly string[];
  /** Output of a shell script on the host, as root. Rejects unless it exits with 0. */
  sh(script: string): Promise<string>;
  /** A line for each path below /etc, /boot and /usr/local; what phase 2 brings on this kind of host may be left out. */
  snapshot(): Promise<readonly string[]>;
  begin(): Promise<ProvisionRun>;
  /** Cuts the power, and turns it on again. */
  powerCycle(): Promise<void>;
  /** Command lines of every kernel that started, in order; looked at once, at the end. */
  commandLines(): Promise<readonly string[]>;
  /** Driver by GPU address. */
  drivers(): Promise<ReadonlyMap<string, string | null>>;
}

/** What the table says of a row, and what became of it. */
export interface Claims {
  readonly outcome: RunStatus['outcome'];
  readonly boots: readonly Entry[];
  readonly counts: RunStatus['counts'];
  readonly drivers: ReadonlyMap<string, string | null>;
  /** Paths that are not as before. A run that ends provisioned claims nothing of them. */
  readonly left: readonly string[];
  /** Variables of ours in GRUB's environment. */
  readonly armed: string;
}

export function claimsOf(scenario: Scenario, { nativeDriver, gpus }: Stage): Claims {
  const driver = scenario.drivers === 'native' ? nativeDriver : scenario.drivers;
  const { ends: outcome, boots, counts } = scenario;
  return { outcome, boots, counts, drivers: new Map(gpus.map((address) => [address, driver])), left: [], armed: '' };
}

export interface Played {
  readonly claims: Claims;
  readonly status: RunStatus;
  /** Milliseconds since 1970; undefined when the power was not cut. */
  readonly cutAt: number | undefined;
}

/** Plays the row and looks at the host. */
export async function play(scenario: Scenario, stage: Stage): Promise<Played> {
  if (scenario.prepare !== undefined) await stage.sh(scenario.prepare);
  const before = await stage.snapshot();
  const run = await stage.begin();
  let cutAt: number | undefined;
  for (let n = 1; n <= scenario.approvals; n += 1) {
    const question = n === 1 ? 'reboot' : `reboot#${n}`;
    await run.untilAsked(question);
    if (scenario.beforeEachAnswer !== undefined) await stage.sh(scenario.beforeEachAnswer);
    if (n === 1 && scenario.whenAsked === 'cut-power') {
      cutAt = Date.now();
      await stage.powerCycle();
    }
    // The run looks at the host again when it is answered: that is when a power cut voids what was approved.
    await run.approve(question);
  }
  const status = await run.end();
  const boots = (await stage.commandLines()).map(entryOf);
  const claims: Claims = {
    outcome: status.outcome,
    boots,
    counts: status.counts,
    drivers: await stage.drivers(),
    left: status.outcome === 'provisioned' ? [] : changes(before, await stage.snapshot()),
    armed: await stage.sh('grub-editenv - list | grep gp_ || :'),
  };
  return { claims, status, cutAt };
}
