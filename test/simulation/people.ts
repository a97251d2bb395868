/**
 * The people of a simulated run: they answer each question as their schedule says, and in the end always sensibly.
 * @module
 */
import { MESSAGES, type RunStatus } from '../../src/domain/run/messages.js';
import type { Choice, Decision } from '../../src/domain/run/questions.js';
import type { VirtualClock } from './clock.js';
import type { SimulatedHost } from './host.js';
import type { GateAnswer, Schedule } from './schedule.js';
import type { SimulatedTemporal } from './temporal.js';

const SOON_SECONDS = 60;
const APPROVE: GateAnswer = { how: 'approve', afterSeconds: SOON_SECONDS, by: 'update' };

export class People {
  /** Digests that somebody approved while they were asked. */
  readonly approved = new Set<string>();
  /** How often the host was put right and the run told so. */
  putRight = 0;
  private readonly gates: GateAnswer[];
  private readonly parked: Schedule['parked'][number][];
  private readonly needsHands: Schedule['needsHands'][number][];

  constructor(
    schedule: Schedule,
    private readonly clock: VirtualClock,
    private readonly temporal: SimulatedTemporal,
    private readonly host: SimulatedHost,
    private readonly note: (text: string) => void,
  ) {
    this.gates = [...schedule.gates];
    this.parked = [...schedule.parked];
    this.needsHands = [...schedule.needsHands];
  }

  /** A question was opened. */
  asked(status: RunStatus): void {
    const { question } = status;
    if (question === null) return;
    const { id, kind } = question;
    if (kind === 'reboot' || kind === 'disks') this.gate(id, question.digest, this.gates.shift() ?? APPROVE);
    else if (kind === 'parked') this.answerParked(id, this.parked.shift() ?? 'reject');
    else this.repair(id, this.needsHands.shift() ?? 'put-right', status);
  }

  private gate(id: string, digest: string, { how, afterSeconds, by }: GateAnswer): void {
    this.note(`people: ${how} ${id} after ${afterSeconds} s by ${by}`);
    this.later(afterSeconds, () => {
      if (how === 'never') return;
      if (how === 'cancel') return this.temporal.cancel();
      if (how === 'reject') return this.send('reject', { gate: id, digest }, by);
      // Somebody changes what was asked about, just before it is approved.
      if (how === 'approve-what-drifted') this.host.drifts();
      if (how === 'wrong-digest') this.send('approve', { gate: id, digest: 'ffff-ffff' }, by);
      this.approved.add(digest);
      this.send('approve', { gate: id, digest }, by);
      if (how === 'approve-twice') this.send('approve', { gate: id, digest }, by === 'signal' ? 'update' : 'signal');
    });
  }

  private answerParked(id: string, how: Schedule['parked'][number]): void {
    this.note(`people: ${how} ${id}`);
    this.later(SOON_SECONDS, () => {
      if (how === 'cancel') this.temporal.cancel();
      // A cancel that came before leaves nobody to answer.
      else this.send(how, { gate: id }, 'update');
    });
  }

  private repair(id: string, how: Schedule['needsHands'][number], { instructions, purpose }: RunStatus): void {
    this.note(`people: ${how} ${id}`);
    if (how === 'put-right') {
      this.putRight += 1;
      const knownGood = purpose !== undefined && instructions.some((line) => line.includes('gpu-provision known-good'));
      const ordinary = instructions.some((line) => line.includes('its ordinary entry'));
      this.host.isPutRight(ordinary ? 'ordinary' : knownGood ? 'known-good' : null);
    }
    const bootSeconds = 600;
    this.later(bootSeconds, () => this.send('resume', { gate: id }, 'update'));
  }

  private send(choice: Choice, decision: Decision, by: GateAnswer['by']): void {
    const full = { ...decision, by: 'op-a@ops1', reason: 'CHG-4711' };
    if (by === 'signal') return this.temporal.signal(MESSAGES[choice], full);
    this.temporal.update(MESSAGES[choice], full, (reply) => {
      if ('refused' in reply) this.note(`refused: ${choice} ${decision.gate}: ${reply.refused}`);
    });
  }

  private later(seconds: number, act: () => void): void {
    this.clock.after(seconds * 1_000, act);
  }
}
