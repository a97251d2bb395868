/**
 * Stands by while the run goes on: answers its questions when asked to, and breaks what the fault says at the moment it says.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ClientError, type ProvisionClient } from '../../src/client.js';
import type { OpenQuestion } from '../../src/domain/run/questions.js';
import type { SimulatedHost } from '../rack/options.js';
import type { DemoFault } from './faults.js';

export interface Attendance {
  readonly client: ProvisionClient;
  readonly host: SimulatedHost;
  readonly fault: DemoFault | null;
  /** Answer questions. */
  readonly yes: boolean;
  /** Kills the worker and starts another one. */
  restartWorker(): Promise<void>;
  report(line: string): void;
}

const RUN_POLL_MS = 100;

/** Resolves when the run is over or the signal aborts; it may begin before the run does. */
export async function attend(attendance: Attendance, signal: AbortSignal): Promise<void> {
  const { client, host, fault } = attendance;
  await untilStarted(client, host.name, signal);
  let asked = false;
  let killed = false;
  let answered = '';
  for await (const { view } of client.watch(host.name, { signal })) {
    const { status } = view;
    if (status === null) continue;
    if (fault?.killsWorker === true && !killed && typeof status.reboot?.requestedAt === 'string') {
      killed = true;
      attendance.report('fault: the worker is killed');
      await attendance.restartWorker();
    }
    const { question } = status;
    if (question === null || status.outcome === 'needs-hands') continue;
    if (question.kind === 'reboot' && !asked) {
      asked = true;
      if (fault?.whenAsked !== undefined) attendance.report(`fault: ${fault.summary}`);
      fault?.whenAsked?.(host);
    }
    if (!attendance.yes || answered === question.id) continue;
    if (await answer(attendance, question)) answered = question.id;
  }
}

export async function untilStarted(client: ProvisionClient, server: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await exists(client, server))) await delay(RUN_POLL_MS);
}

async function exists(client: ProvisionClient, server: string): Promise<boolean> {
  try {
    await client.status(server);
    return true;
  } catch (error) {
    if (error instanceof ClientError && error.kind === 'not-found') return false;
    throw error;
  }
}

/** A reboot and disks are approved; a phase that parks is given up, since nobody is there to repair what it needs. */
async function answer(attendance: Attendance, question: OpenQuestion): Promise<boolean> {
  const { client, host } = attendance;
  const choice = question.digest === '' ? 'reject' : 'approve';
  const digest = question.digest === '' ? {} : { digest: question.digest };
  try {
    await client.decide(host.name, choice, { gate: question.id, ...digest, by: 'demo', reason: '--yes' });
    attendance.report(`--yes: ${choice} ${question.id} ${question.digest}`);
    return true;
  } catch (error) {
    // The question was replaced by a new one in the meantime, or the worker is away: the next look will tell.
    attendance.report(`--yes: ${question.id}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}
