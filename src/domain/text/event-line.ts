/**
 * One line an event, for logs and for terminals that aren't there. Stable: people grep it.
 * @module
 */
import type { RunEvent, RunStatus } from '../run/messages.js';
import { PHASES, phaseOf } from '../run/phases.js';
import { plain, plainJson } from './plain.js';
import { secondsBetween, stamp } from './times.js';

type Fields = Readonly<Record<string, string | number>>;

/** `AT SERVER n/8 PHASE KIND…`: figures where there are any, else the event's words. Never cut: a log has no width. */
export function eventLine(event: RunEvent, status: RunStatus): string {
  const number = event.phase === null ? '-' : `${phaseOf(event.phase).number}/${PHASES.length}`;
  const head = [stamp(event.at), status.server, number, event.phase ?? '-'].join(' ');
  const fields = fieldsOf(event, status);
  if (fields === null) return `${head} ${event.kind} ${plain(event.text)}`;
  const words = Object.entries(fields).map(([name, value]) => `${name}=${quoted(value)}`);
  // A field of the event's own name says the kind already: `gate=reboot`.
  return [head, ...(event.kind in fields ? [] : [event.kind]), ...words].join(' ');
}

/** The same as JSON, with every field. */
export function eventJson(event: RunEvent, status: RunStatus): string {
  const number = event.phase === null ? null : phaseOf(event.phase).number;
  const { at, phase, kind, text } = event;
  return plainJson({ at, server: status.server, number, phase, kind, text, ...fieldsOf(event, status) });
}

/** Figures of an event that are in the status, where the status still is about that event. */
function fieldsOf(event: RunEvent, status: RunStatus): Fields | null {
  if (event.kind === 'gate') return gateFields(event, status);
  if (event.kind === 'left') return leftFields(event, status);
  return null;
}

function gateFields(event: RunEvent, { question, server }: RunStatus): Fields | null {
  if (question === null || question.openedAt.slice(0, 19) !== event.at.slice(0, 19)) return null;
  if (question.digest === '') {
    return { gate: question.id, text: question.text, resume: `gpu-provision resume ${server}` };
  }
  const approve = `gpu-provision approve ${server} --digest ${question.digest}`;
  return { gate: question.id, digest: question.digest, approve };
}

function leftFields(event: RunEvent, { reboot, events }: RunStatus): Fields | null {
  const newest = events.findLast(({ kind }) => kind === 'left');
  if (reboot === null || reboot.requestedAt === null || reboot.leftAt === null || newest?.at !== event.at) return null;
  const after = `${secondsBetween(reboot.requestedAt, reboot.leftAt)}s`;
  const next = reboot.ladder.find(({ state }) => state === 'next');
  return {
    after,
    reboot: reboot.number,
    ...(next === undefined ? {} : { next: `${next.rung}@${next.at.slice(11, 19)}Z` }),
  };
}

function quoted(value: string | number): string {
  const text = plain(String(value));
  return /^[\w.:@/#+-]+$/.test(text) ? text : plainJson(text);
}
