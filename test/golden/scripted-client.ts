/**
 * A client whose run is a list of views, and an outside that keeps what is printed. For tests of the CLI alone; what a real run
 * says is tested on a real Temporal.
 * @module
 */
import { newEvents } from '../../src/client/new-events.js';
import {
  ClientError,
  type ListFilter,
  type ProvisionClient,
  type QueueState,
  type Sighting,
} from '../../src/client.js';
import type { Io, Terminal } from '../../src/cli/io.js';
import type { PlanPreview } from '../../src/domain/preflight.js';
import type { Day2Input, ProvisionInput, RunPurpose } from '../../src/domain/run/messages.js';
import type { Choice, Decision } from '../../src/domain/run/questions.js';
import { newLines } from '../../src/domain/run/host-output.js';
import type { ListedRun, RunView } from '../../src/domain/run/view.js';
import type { VerifyInput, VerifyReport } from '../../src/domain/verify.js';
import { approval } from './runs.js';

export interface Script {
  /** What is seen, one a second in the field. */
  readonly views?: readonly RunView[];
  readonly preview?: PlanPreview;
  readonly runs?: readonly ListedRun[];
  readonly verified?: VerifyReport;
  /** How each call fails. */
  readonly fails?: Partial<Record<keyof ProvisionClient, ClientError>>;
  readonly workers?: number;
  readonly missingAttributes?: readonly string[];
  readonly currentVersion?: QueueState['current'];
  /** Awaited before each sighting, so that a test can type in between. */
  readonly beforeSighting?: (index: number) => Promise<void>;
}

export interface ScriptedClient extends ProvisionClient {
  readonly started: { readonly input: ProvisionInput; readonly attach: boolean }[];
  readonly day2: { readonly purpose: RunPurpose; readonly input: Day2Input }[];
  readonly decided: { readonly choice: Choice; readonly decision: Decision }[];
  readonly cancelled: string[];
  readonly listed: ListFilter[];
  readonly verified: VerifyInput[];
  /** Seconds by server. */
  readonly schedules: Map<string, number>;
  closed: boolean;
  /** `DEPLOYMENT BUILD-ID` that was made current. */
  current: string | null;
}

export function scriptedClient(script: Script): ScriptedClient {
  const { views = [], fails = {}, workers = 1 } = script;
  const may = (method: keyof ProvisionClient): void => {
    const error = fails[method];
    if (error !== undefined) throw error;
  };
  const newest = (): RunView => {
    const view = views.at(-1);
    if (view === undefined) throw new ClientError('not-found', 'there is no run of h100-01, or it is over');
    return view;
  };
  const client: ScriptedClient = {
    address: 'localhost:7233',
    namespace: 'default',
    started: [],
    day2: [],
    decided: [],
    cancelled: [],
    listed: [],
    verified: [],
    schedules: new Map(),
    closed: false,
    current: null,
    async start(input, options) {
      may('start');
      const attach = options?.attach ?? false;
      client.started.push({ input, attach });
      const server = input.spec.name;
      return { server, workflowId: `provision/${server}`, runId: 'run-1', attached: attach && views.length > 0 };
    },
    async startDay2(purpose, input) {
      may('startDay2');
      client.day2.push({ purpose, input });
      const server = input.spec.name;
      return { server, workflowId: `provision/${server}`, runId: 'run-1', attached: false };
    },
    async status() {
      may('status');
      return newest();
    },
    async list(filter) {
      may('list');
      client.listed.push(filter ?? {});
      return script.runs ?? [];
    },
    async *watch(_server, options): AsyncGenerator<Sighting> {
      let last: RunView | null = null;
      for (const [index, view] of views.entries()) {
        await script.beforeSighting?.(index);
        if (options?.signal?.aborted === true) return;
        yield {
          view,
          events: newEvents(last?.status?.events ?? [], view.status?.events ?? []),
          output: newLines(last?.output ?? null, view.output),
        };
        last = view;
      }
    },
    async decide(_server, choice, decision) {
      may('decide');
      client.decided.push({ choice, decision });
      const { gate, digest = '', by = '', reason = '' } = decision;
      return { ...approval, gate, choice, digest, by, reason };
    },
    async plan() {
      may('plan');
      if (script.preview === undefined) throw new ClientError('no-worker', 'no worker polls provision');
      return script.preview;
    },
    async verify(input) {
      may('verify');
      client.verified.push(input);
      if (script.verified === undefined) throw new ClientError('no-worker', 'no worker polls provision');
      return script.verified;
    },
    async scheduleVerify({ spec }, everySeconds) {
      may('scheduleVerify');
      client.schedules.set(spec.name, everySeconds);
      return { scheduleId: `verify/${spec.name}`, everySeconds, next: '2026-11-29T00:00:00Z' };
    },
    async unscheduleVerify(server) {
      may('unscheduleVerify');
      if (!client.schedules.delete(server)) throw new ClientError('not-found', `there is no schedule verify/${server}`);
    },
    async cancel(server) {
      may('cancel');
      client.cancelled.push(server);
    },
    async result() {
      return newest();
    },
    async health() {
      may('health');
      return { missingAttributes: script.missingAttributes ?? [] };
    },
    async queue() {
      may('queue');
      return { pollers: workers, current: script.currentVersion ?? null };
    },
    async workersPolling() {
      return workers;
    },
    async setCurrentVersion(deployment, buildId) {
      may('setCurrentVersion');
      client.current = `${deployment} ${buildId}`;
    },
    async close() {
      client.closed = true;
    },
  };
  return client;
}

export interface RecordedIo extends Io {
  readonly out: () => string;
  readonly err: () => string;
  readonly abort: () => void;
}

export function recordedIo(
  change: { readonly terminal?: Terminal; readonly env?: Io['env']; readonly columns?: number } = {},
): RecordedIo {
  const out: string[] = [];
  const err: string[] = [];
  const controller = new AbortController();
  return {
    stdout: (text) => void out.push(text),
    stderr: (text) => void err.push(text),
    terminal: change.terminal ?? null,
    stdoutIsTerminal: change.terminal !== undefined,
    columns: change.columns ?? 100,
    env: change.env ?? {},
    identity: 'op-a@ops1',
    signal: controller.signal,
    out: () => out.join(''),
    err: () => err.join(''),
    abort: () => controller.abort(),
  };
}

/** A keyboard: `press` reaches whoever listens, questions are answered from the list. */
export interface Keyboard extends Terminal {
  press(key: string): void;
  readonly asked: string[];
}

export function keyboard(answers: readonly (string | null)[], rows = 60): Keyboard {
  const listeners = new Set<(key: string) => void>();
  const left = [...answers];
  const asked: string[] = [];
  return {
    rows,
    asked,
    onKey(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async ask(prompt) {
      asked.push(prompt);
      return left.shift() ?? null;
    },
    press(key) {
      for (const listener of listeners) listener(key);
    },
  };
}
