import { describe, expect, it } from 'vitest';
import type { PowerState } from '../../ports/bmc.js';
import { ActionRefused } from './failure.js';
import type { BmcPacing } from './pacing.js';
import { offThenOn, StayedOff, StayedOn, turnOn, type PowerControls } from './power-cycle.js';

const PACING: BmcPacing = {
  answerLimitMs: 50,
  pollMs: 1,
  offLimitMs: 50,
  softOffLimitMs: 50,
  offPauseMs: 1,
  onLimitMs: 50,
};
const options = { pacing: PACING, offLimitMs: PACING.offLimitMs };

/** A power supply that obeys, but for what a test changes. */
function supply(change: (power: { state: PowerState; commands: string[] }) => Partial<PowerControls> = () => ({})): {
  power: { state: PowerState; commands: string[] };
  controls: PowerControls;
} {
  const power = { state: 'on' as PowerState, commands: [] as string[] };
  const set = (state: PowerState) => (): Promise<void> => {
    power.commands.push(state);
    power.state = state;
    return Promise.resolve();
  };
  const obeys = { state: () => Promise.resolve(power.state), off: set('off'), on: set('on') };
  return { power, controls: { ...obeys, ...change(power) } };
}

describe('off, then on', () => {
  it('goes through both', async () => {
    const { power, controls } = supply();
    await offThenOn(controls, options);
    expect(power).toEqual({ state: 'on', commands: ['off', 'on'] });
  });

  it('turns on again when the answer to off was lost but the power went', async () => {
    const { power, controls } = supply((p) => ({
      off: () => {
        p.state = 'off';
        return Promise.reject(new Error('no answer'));
      },
    }));
    await offThenOn(controls, options);
    expect(power).toEqual({ state: 'on', commands: ['on'] });
  });

  it('reports the lost answer when the power did not go', async () => {
    const lost = new Error('no answer');
    const { controls } = supply(() => ({ off: () => Promise.reject(lost) }));
    await expect(offThenOn(controls, options)).rejects.toBe(lost);
  });

  it('stops at once when off was declined', async () => {
    const { power, controls } = supply(() => ({ off: () => Promise.reject(new ActionRefused('no')) }));
    await expect(offThenOn(controls, options)).rejects.toBeInstanceOf(ActionRefused);
    expect(power).toEqual({ state: 'on', commands: [] });
  });

  it('says so when the power stays on', async () => {
    const { controls } = supply(() => ({ off: () => Promise.resolve() }));
    await expect(offThenOn(controls, options)).rejects.toBeInstanceOf(StayedOn);
  });

  it('is not thrown off by looks that fail', async () => {
    let looks = 0;
    const { power, controls } = supply((p) => ({
      state: () => (looks++ % 2 === 0 ? Promise.reject(new Error('busy')) : Promise.resolve(p.state)),
    }));
    await offThenOn(controls, options);
    expect(power.state).toBe('on');
  });
});

describe('turning on', () => {
  it('repeats a command that the BMC lost', async () => {
    let lost = 2;
    const { power, controls } = supply((p) => ({
      on: () => {
        if (lost-- <= 0) p.state = 'on';
        return Promise.resolve();
      },
    }));
    power.state = 'off';
    await turnOn(controls, PACING);
    expect(power.state).toBe('on');
  });

  it('leaves alone what is neither on nor off, until it is on', async () => {
    let looks = 0;
    const { power, controls } = supply(() => ({ state: () => Promise.resolve(looks++ < 3 ? 'unknown' : 'on') }));
    await turnOn(controls, PACING);
    expect(power.commands).toEqual([]);
  });

  it.each([
    ['does nothing', () => Promise.resolve(), 'did not come on'],
    ['declines', () => Promise.reject(new ActionRefused('interlock open')), 'interlock open'],
  ])('never ends as a plain refusal when the BMC %s: the host is off now', async (_what, on, words) => {
    const { power, controls } = supply(() => ({ on }));
    power.state = 'off';
    const error: unknown = await turnOn(controls, PACING).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StayedOff);
    expect(String(error)).toContain(words);
  });
});
