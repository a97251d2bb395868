/**
 * A run without a terminal: one line an event, to stderr.
 * @module
 */
import type { ProvisionClient } from '../client.js';
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
  for await (const { view, events } of client.watch(server, { signal: screen.io.signal })) {
    const { status } = view;
    if (status !== null)
      screen.events(events.map((event) => (json ? eventJson(event, status) : eventLine(event, status))));
    if (view.contact.kind !== contact) screen.events([contactLine(view, json)]);
    contact = view.contact.kind;
    if (isFinal(view)) return view;
  }
  return null;
}

/** That a worker went away or came back is no event of the run, but a log without it would look as if the run hung. */
function contactLine({ server, now, contact }: RunView, json: boolean): string {
  if (json) return plainJson({ at: now, server, kind: 'contact', contact });
  const where =
    'queue' in contact ? ` queue=${contact.queue}` : 'address' in contact ? ` address=${contact.address}` : '';
  return `${stamp(now)} ${server} - - contact ${contact.kind}${where}`;
}
