/**
 * The first lines of a view: which run, who started it, and whether anybody is at work on it.
 * @module
 */
import type { RunStatus } from '../run/messages.js';
import type { Contact, RunView } from '../run/view.js';
import { isAway } from './boot-state.js';
import { hang, spread } from './layout.js';
import { columns } from './plain.js';
import { clock, minutes, secondsBetween, stopwatch, when } from './times.js';

export function renderHeader(view: RunView, width: number): string[] {
  const { server, now, known, contact } = view;
  const name = `${server}  ${view.status?.purpose ?? 'provision'}  ${view.status?.cluster ?? known.cluster}`;
  if (contact.kind === 'ok') {
    const started = `started by ${known.startedBy} ${when(known.startedAt, now)}`;
    const worker = view.workflow === 'running' ? 'worker ok' : view.workflow;
    const indent = ' '.repeat(3);
    return spread(`${name}   ${started}`, `${worker}   ${clock(now)}`, width, indent);
  }
  const words = trouble(contact, now);
  const oneLine = `${name}   ${words}`;
  const head =
    columns(oneLine) + 2 + columns(clock(now)) <= width
      ? spread(oneLine, clock(now), width)
      : [...spread(name, clock(now), width), ...hang('   ', words, width)];
  return [...head, ...lastKnown(view, width)];
}

function trouble(contact: Exclude<Contact, { kind: 'ok' }>, now: string): string {
  const since = contact.since === null ? '' : ` for ${stopwatch(secondsBetween(contact.since, now))}`;
  if (contact.kind === 'no-temporal') return `NO TEMPORAL at ${contact.address}${since}`;
  if (contact.kind === 'no-worker') return `NO WORKER on queue ${contact.queue}${since} (gpu-provision worker)`;
  return (
    `THE RUN DOES NOT ANSWER${since}: a worker polls ${contact.queue}, but the run's workflow task fails ` +
    `or waits for another version of the worker (see the worker's log)`
  );
}

/** What can still be said, and what the host does on its own meanwhile. */
function lastKnown({ status, statusAt, known }: RunView, width: number): string[] {
  const at = statusAt === null ? '' : ` ${clock(statusAt)}`;
  const lines = hang('   ', `last known${at}: ${status === null ? knownWords(known) : statusWords(status)}`, width);
  const alone = status === null ? null : hostAlone(status);
  return alone === null ? lines : [...lines, ...hang('   ', alone, width)];
}

function knownWords(known: RunView['known']): string {
  if (known.outcome !== null) return known.outcome;
  if (known.gate !== null) return `waits for an answer to ${known.gate}`;
  return known.phase === null ? 'not begun' : `phase ${known.phase}`;
}

function statusWords(status: RunStatus): string {
  if (status.question !== null) return `waits for an answer to ${status.question.id}`;
  if (isAway(status)) return `reboot ${status.reboot?.number ?? 1}, ${awayWords(status)}`;
  const phase = status.phases.find((p) => p.state === 'running' || p.state === 'waiting');
  return phase === undefined ? (status.outcome ?? 'not begun') : `phase ${phase.name}`;
}

function awayWords({ reboot }: RunStatus): string {
  return reboot?.leftAt === null ? 'not left yet' : 'left-not-back. The host acts alone:';
}

/** The dead-man reboots a trial boot that nobody confirms; without a worker nobody can. */
function hostAlone(status: RunStatus): string | null {
  const { plan, reboot } = status;
  if (!isAway(status) || plan === null || reboot?.purpose !== 'forward' || plan.strategy !== 'known-good') return null;
  return `it falls back by itself ${minutes(plan.deadManSeconds)} after it boots, unless a worker confirms before that.`;
}
