/**
 * Programs that wait, or run others.
 * @module
 */
import { delay } from '../machine/clock.js';
import { type Program, type Programs, fail, parseArgs } from '../shell/program.js';

const sleep: Program = async (call) => {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
  const seconds = call.args
    .map((arg) => Number.parseFloat(arg) * (units[arg.at(-1) ?? 's'] ?? 1))
    .reduce((sum, value) => sum + value, 0);
  if (call.args[0] === 'infinity') await delay(2_000_000_000, call.signal);
  if (Number.isNaN(seconds)) return fail(1, `sleep: invalid time interval '${call.args[0] ?? ''}'`);
  await delay(seconds * 1000, call.signal);
  return '';
};

/** Runs the rest of its arguments: nohup, setsid, nice, ionice, stdbuf. */
const wrapper =
  (withValue: readonly string[] = []): Program =>
  (call) =>
    call.run(parseArgs(call.args, withValue, true).rest);

export const RUNNING_PROGRAMS: Programs = {
  sleep,
  nohup: wrapper(),
  setsid: wrapper(),
  nice: wrapper(['-n']),
  ionice: wrapper(['-c', '-n']),
  stdbuf: wrapper(['-o', '-e', '-i']),
};
