/**
 * A run without a terminal: one line an event, to stderr.
 * @module
 */
import type { ProvisionClient } from '../client.js';
import type { RunStatus } from '../domain/run/messages.js';
import type { Contact, RunView } from '../domain/run/view.js';
import { eventJson, eventLine } from '../domain/text/event-line.js';
import { plainJson } from '../domain/text/plain.js';
import { stamp } from '../domain/text/times.js';
import { isFinal } from '../domain/text/watch.js';
import type { Screen } from './screen.js';

/** null when it was aborted. */
export async function eventLog(client: ProvisionClient, server: string, screen: Screen): Promise<RunView | null> {
  const { json } = screen.options;
  let contact: Contact['kind'] = 'ok';
  for await (const { view, events, output } of client.watch(server, { signal: screen.io.signal })) {
    const { status } = view;
    if (status !== null)
      screen.events(events.map((event) => (json ? eventJson(event, status) : eventLine(event, status))));
    if (status !== null) screen.events(output.map((text) => outputLine(text, view, status, json)));
    if (view.contact.kind !== contact) screen.events([contactLine(view, json)]);
    contact = view.contact.kind;
    if (isFinal(view)) return view;
  }
  return null;
}

/** No event of the run, which would keep it: only who looks now sees it. */
function outputLine(text: string, { now }: RunView, status: RunStatus, json: boolean): string {
  const phase = status.phases.find(({ state }) => state === 'running')?.name ?? null;
  const event = { at: now, phase, kind: 'output', text };
  return json ? eventJson(event, status) : eventLine(event, status);
}

/** That a worker went away or came back is no event of the run, but a log without it would look as if the run hung. */
function contactLine({ server, now, contact }: RunView, json: boolean): string {
  if (json) return plainJson({ at: now, server, kind: 'contact', contact });
  const where =
    'queue' in contact ? ` queue=${contact.queue}` : 'address' in contact ? ` address=${contact.address}` : '';
  return `${stamp(now)} ${server} - - contact ${contact.kind}${where}`;
}
