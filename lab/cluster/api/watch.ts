/**
 * Watches: the changes to a collection as they happen.
 * @module
 */
import type { ServerResponse } from 'node:http';
import { route, selected, statusOf, type Call } from './call.js';
import type { Kind } from './kinds.js';
import { ApiError, type ApiObject } from './object.js';
import type { ObjectStore } from './store.js';

/** One JSON event a line, until the client goes away. */
export function watch(store: ObjectStore, call: Call, response: ServerResponse): void {
  const [root = '', ...rest] = call.path;
  const { kind, namespace } = route(store, root, rest);
  const wanted = selected(call, namespace);
  response.writeHead(200, { 'content-type': 'application/json' });
  const emit = (type: string, object: unknown): void => void response.write(`${JSON.stringify({ type, object })}\n`);
  const from = call.query.get('resourceVersion') ?? '0';
  const past = from === '0' || from === '' ? [] : store.since(from);
  if (past === null) {
    emit('ERROR', statusOf(new ApiError(410, 'Expired', `too old resource version: ${from}`)));
    response.end();
    return;
  }
  if (from === '0' || from === '')
    for (const object of store.list(kind, namespace).filter(wanted)) emit('ADDED', object);
  const isMine = (event: { kind: Kind; object: ApiObject }): boolean =>
    event.kind.group === kind.group && event.kind.plural === kind.plural && wanted(event.object);
  for (const event of past) if (isMine(event)) emit(event.type, event.object);
  const stop = store.onEvent((event) => {
    if (isMine(event)) emit(event.type, event.object);
  });
  response.on('close', stop);
}
