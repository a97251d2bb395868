/**
 * The outside of the CLI: two streams, perhaps a terminal, and who is at it. Commands get it as an argument, so that tests can be
 * at it too. Secrets that this process has read are printed by nobody.
 * @module
 */
import { hostname, userInfo } from 'node:os';
import { createInterface, emitKeypressEvents } from 'node:readline';
import { redactor } from '../adapters/secrets/index.js';

export interface Terminal {
  /** Lines that fit. */
  readonly rows: number;
  /** Calls with `a`, `q`, `ctrl-c`… for each key until the returned function is called. */
  onKey(listener: (key: string) => void): () => void;
  /** One typed line; null when it was left with Ctrl-C or Ctrl-D. */
  ask(prompt: string): Promise<string | null>;
}

export interface Io {
  /** Results. */
  stdout(text: string): void;
  /** Progress and errors. */
  stderr(text: string): void;
  /** null where nobody can type or nobody sees: then nothing prompts, and every event is a line. */
  readonly terminal: Terminal | null;
  readonly columns: number;
  /** Results are seen as they are, rather than read by another program. */
  readonly stdoutIsTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `user@host`, as asserted to the run. */
  readonly identity: string;
  /** Aborted by Ctrl-C and by SIGTERM. */
  readonly signal: AbortSignal;
}

/** Where no terminal says how wide it is. */
const DEFAULT_COLUMNS = 100;

export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process;
  const interactive = stdin.isTTY && stderr.isTTY;
  let leaving: AbortSignal | undefined;
  return {
    stdout: (text) => void stdout.write(redactor.text(text)),
    stderr: (text) => void stderr.write(redactor.text(text)),
    terminal: interactive ? processTerminal() : null,
    stdoutIsTerminal: stdout.isTTY,
    columns: stderr.columns ?? stdout.columns ?? DEFAULT_COLUMNS,
    env,
    identity: `${userName(env)}@${hostname()}`,
    get signal() {
      return (leaving ??= signalOfProcess());
    },
  };
}

/** Only for commands that look at it: the others are to be ended by Ctrl-C as any program is, and so is the second Ctrl-C. */
function signalOfProcess(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort(name));
  return controller.signal;
}

function userName(env: NodeJS.ProcessEnv): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a uid that has no name.
    return env['USER'] ?? 'unknown';
  }
}

function processTerminal(): Terminal {
  const { stdin, stderr } = process;
  return {
    get rows() {
      return stderr.rows;
    },
    onKey(listener) {
      const heard = (text: string | undefined, key: { readonly ctrl?: boolean; readonly name?: string }): void => {
        if (key.ctrl === true) listener(`ctrl-${key.name ?? ''}`);
        else if (text !== undefined) listener(text);
      };
      emitKeypressEvents(stdin);
      stdin.setRawMode(true);
      stdin.resume();
      stdin.on('keypress', heard);
      return () => {
        stdin.off('keypress', heard);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
    ask(prompt) {
      const lines = createInterface({ input: stdin, output: stderr });
      return new Promise((resolve) => {
        lines.once('close', () => resolve(null));
        lines.question(prompt, (answer) => {
          resolve(answer);
          lines.close();
        });
      });
    },
  };
}
