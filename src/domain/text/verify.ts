/**
 * What a drift check found.
 * @module
 */
import { EXIT } from '../run/outcomes.js';
import type { Verdict, VerifyItem, VerifyReport, VerifySchedule } from '../verify.js';
import { hang, row, spread } from './layout.js';
import { duration, moment } from './times.js';
import { count } from './words.js';

const EXITS: Readonly<Record<Verdict, number>> = { ok: EXIT.done, drift: EXIT.drift, busy: EXIT.alreadyRunning };

export const verifyExit = ({ verdict }: VerifyReport): number => EXITS[verdict];

/** Columns of `  drift   `. */
const STATE_COLUMNS = 10;

export function renderVerify(report: VerifyReport, width: number): string[] {
  const { server, items, at } = report;
  const wrong = items.filter(({ state }) => state !== 'ok');
  const titles: Readonly<Record<Verdict, string>> = {
    ok: `AS PROVISIONED  ${server}   ${count(items.length, 'item')} looked at   ${moment(at)}`,
    drift: `DRIFT  ${server}   ${wrong.length} of ${count(items.length, 'item')}   ${moment(at)}`,
    busy: `BUSY  ${server}   ${moment(at)}`,
  };
  const head = spread(titles[report.verdict], `exit ${verifyExit(report)}`, width);
  if (report.verdict === 'busy') return [...head, ...busy(report, width)];
  return [...head, ...wrong.flatMap((item) => itemRows(item, width)), ...goodRows(items, width)];
}

function busy({ holder, server }: VerifyReport, width: number): string[] {
  const text =
    holder === null
      ? 'the host was rebooted while it was looked at: verify again'
      : `run ${holder} holds the host, so what differs may be its work: gpu-provision status ${server}`;
  return row('now', text, width);
}

function itemRows({ id, state, text, remedy }: VerifyItem, width: number): string[] {
  return [...row(state, `${id}: ${text}`, width, STATE_COLUMNS), ...row('  do', remedy, width, STATE_COLUMNS)];
}

/** Names only, and how many of each. */
function goodRows(items: readonly VerifyItem[], width: number): string[] {
  const counts = new Map<string, number>();
  for (const { id, state } of items) if (state === 'ok') counts.set(id, (counts.get(id) ?? 0) + 1);
  if (counts.size === 0) return [];
  const names = [...counts].map(([id, n]) => (n === 1 ? id : `${id} (${n})`));
  return row('ok', names.join(', '), width, STATE_COLUMNS);
}

export function renderSchedule(server: string, { everySeconds, next }: VerifySchedule, width: number): string[] {
  const when = next === null ? 'no next time is known' : `next ${moment(next)}`;
  const text = `${server} is verified every ${duration(everySeconds)}, ${when}. Look: temporal schedule describe --schedule-id verify/${server}`;
  return hang('', text, width);
}
