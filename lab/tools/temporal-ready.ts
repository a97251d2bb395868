/**
 * Waits until a Temporal server that we started answers, and has the search attributes the workflow writes.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../src/domain/run/messages.js';
import type { Child } from './child.js';

/** It takes one to three seconds; two busy cores and a cold disk make it many times that. */
const READY_TIMEOUT_SECONDS = 90;
const TRY_EVERY_MS = 100;
const CONNECT_TIMEOUT_MS = 2_000;
/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2;
export const NAMESPACE = 'default';

const SHOWN_LINES = 10;
const ENDED = 'the process ended';

/** Rejects as soon as the server ends, with what it printed. `register` adds the search attributes where no flag does it. */
export async function untilReady(
  title: string,
  server: Child,
  address: string,
  options: { readonly register: boolean },
): Promise<void> {
  const ended = server.exited.then(() => ENDED);
  const deadline = Date.now() + READY_TIMEOUT_SECONDS * 1000;
  for (;;) {
    const problem = await Promise.race([probe(address, options.register), ended]);
    if (problem === null) return;
    if (problem === ENDED) throw new Error(`${title} ended while it started:\n${firstLines(server.output())}`);
    if (Date.now() > deadline) {
      await server.stop();
      throw new Error(
        `${title} is not ready after ${READY_TIMEOUT_SECONDS} s (${problem}):\n${firstLines(server.output())}`,
      );
    }
    await delay(TRY_EVERY_MS);
  }
}

async function probe(address: string, register: boolean): Promise<string | null> {
  let connection: Connection;
  try {
    connection = await Connection.connect({ address, connectTimeout: CONNECT_TIMEOUT_MS });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  try {
    await connection.workflowService.describeNamespace({ namespace: NAMESPACE });
    const wanted = Object.values(SEARCH_ATTRIBUTES);
    if (register) {
      const searchAttributes = Object.fromEntries(wanted.map((name) => [name, KEYWORD]));
      await connection.operatorService.addSearchAttributes({ namespace: NAMESPACE, searchAttributes });
      return null;
    }
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: NAMESPACE });
    const missing = wanted.filter((name) => !Object.hasOwn(customAttributes ?? {}, name));
    return missing.length === 0 ? null : `no search attribute ${missing.join(', ')}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await connection.close();
  }
}

/** What comes first says why; after it Go prints stacks. */
function firstLines(output: string): string {
  return output.split('\n').slice(0, SHOWN_LINES).join('\n');
}
