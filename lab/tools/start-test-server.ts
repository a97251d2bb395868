/**
 * The time-skipping Temporal server for workflow tests, as our child. The SDK can start it too, but gives it five seconds to answer,
 * which a busy machine with two cores does not always manage.
 * @module
 */
import { startChild } from './child.js';
import { freePort } from './free-port.js';
import { untilReady } from './temporal-ready.js';
import { temporalTestServer } from './temporal-test-server.js';

export interface TestServer {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  stop(): Promise<void>;
}

/** Resolves when it answers; the search attributes of the workflow are registered. Throws ToolUnavailable. */
export async function startTestServer(): Promise<TestServer> {
  const executable = await temporalTestServer();
  const port = await freePort();
  const server = startChild([executable, String(port)]);
  const address = `127.0.0.1:${port}`;
  await untilReady('the time-skipping Temporal server', server, address, { register: true });
  return { address, stop: () => server.stop() };
}
