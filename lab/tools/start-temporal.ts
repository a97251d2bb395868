/**
 * A whole Temporal server for the demo and for integration tests: the CLI's dev server as our child.
 * @module
 */
import { SEARCH_ATTRIBUTES } from '../../src/domain/run/messages.js';
import { startChild } from './child.js';
import { freePort } from './free-port.js';
import { temporalCli } from './temporal-cli.js';
import { NAMESPACE, untilReady } from './temporal-ready.js';

export interface TemporalOptions {
  /** SQLite file that keeps runs over restarts; left out, they are kept in memory. */
  readonly dbFile?: string;
  /** Wanted port of gRPC on 127.0.0.1; when it is taken, or left out, another one. */
  readonly port?: number;
  /** Wanted port of the web UI on 127.0.0.1, 0 for any; left out, there is no UI. */
  readonly uiPort?: number;
  /** Everything the server prints also goes here. */
  readonly logFile?: string;
}

export interface TemporalServer {
  /** `127.0.0.1:7233` */
  readonly address: string;
  readonly namespace: string;
  /** null without a UI. */
  readonly uiUrl: string | null;
  stop(): Promise<void>;
  /** SIGKILL, as a crash would be; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Between looking for a free port and using it another process may take it. */
const PORT_TRIES = 3;

/** Resolves when it answers and knows the search attributes of the workflow. Throws ToolUnavailable without a Temporal CLI. */
export async function startTemporal(options: TemporalOptions = {}): Promise<TemporalServer> {
  const cli = await temporalCli();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(cli, options);
    } catch (error) {
      const taken = error instanceof Error && error.message.includes('address already in use');
      if (!taken || attempt === PORT_TRIES) throw error;
    }
  }
}

async function start(cli: string, options: TemporalOptions): Promise<TemporalServer> {
  const port = await freePort(options.port);
  const uiPort = options.uiPort === undefined ? undefined : await freePort(options.uiPort);
  const server = startChild(
    [
      cli,
      'server',
      'start-dev',
      '--ip=127.0.0.1',
      `--port=${port}`,
      '--log-level=warn',
      uiPort === undefined ? '--headless' : `--ui-port=${uiPort}`,
      ...(options.dbFile === undefined ? [] : [`--db-filename=${options.dbFile}`]),
      ...Object.values(SEARCH_ATTRIBUTES).map((name) => `--search-attribute=${name}=Keyword`),
    ],
    options.logFile === undefined ? {} : { logFile: options.logFile },
  );
  const address = `127.0.0.1:${port}`;
  await untilReady('the Temporal dev server', server, address, { register: false });
  return {
    address,
    namespace: NAMESPACE,
    uiUrl: uiPort === undefined ? null : `http://127.0.0.1:${uiPort}`,
    stop: () => server.stop(),
    kill: async () => {
      server.kill();
      await server.exited;
    },
  };
}
