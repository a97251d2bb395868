/**
 * Runs that go from one crash point to the next, and what became of them.
 * @module
 */
import type { RunStatus } from '../../../src/domain/run/messages.js';
import { story, type ProvisionRun } from '../../support/provision-run.js';
import type { Site } from '../rig.js';
import { QUESTION_OPEN, type Journey } from './points.js';
import type { TemporalProxy } from './temporal-proxy.js';

/** A point at which something stands until the test lets it go on. */
class Stand {
  private arrive: () => void = () => undefined;
  private leave: () => void = () => undefined;
  readonly reached = new Promise<void>((resolve) => (this.arrive = resolve));
  private readonly released = new Promise<void>((resolve) => (this.leave = resolve));

  readonly here = (): Promise<void> => {
    this.arrive();
    return this.released;
  };

  release(): void {
    this.leave();
  }
}

export class Traveller {
  private stand: Stand | null = null;
  private next = 0;
  private readonly crashes: { readonly crash: string; readonly at: number }[] = [];
  /** How the run ended. */
  readonly end: Promise<RunStatus>;

  constructor(
    readonly journey: Journey,
    readonly site: Site,
    private readonly run: ProvisionRun,
    private readonly proxy: TemporalProxy,
  ) {
    this.end = this.run.until(({ outcome }) => outcome !== null).then(() => this.run.end());
    // Whoever waits for it gets the error.
    this.end.catch(() => undefined);
    this.arm();
  }

  private arm(): void {
    const point = this.journey.points[this.next];
    this.stand = point === undefined ? null : new Stand();
    if (this.stand !== null) point?.stop({ site: this.site, run: this.run, proxy: this.proxy }, this.stand.here);
  }

  /** Answers the question when it is asked, unless a point is still there. */
  approve(): Promise<void> {
    const approved = this.answer();
    approved.catch(() => undefined);
    return approved;
  }

  private async answer(): Promise<void> {
    await this.run.untilAsked('reboot');
    const open = this.journey.points.indexOf(QUESTION_OPEN);
    await this.run.until(() => this.next > open);
    await this.run.approve();
  }

  /** Resolves to the point where the run stands; null when it has been at all of them. */
  async arrive(): Promise<string | null> {
    const { stand } = this;
    const point = this.journey.points[this.next];
    if (point === undefined || stand === null) return null;
    const early = this.end.then((status) => {
      throw new Error(`never reached: ${point.name}\n${story(status)}`);
    });
    await Promise.race([stand.reached, early]);
    return point.name;
  }

  /** What stood goes on, after the crash. */
  goOn(crashedAt: number): void {
    const { stand } = this;
    const point = this.journey.points[this.next];
    if (point === undefined) return;
    this.note(point.name, crashedAt);
    this.next += 1;
    // Before the run moves: it may be past the next point by the time that a test asks for it.
    this.arm();
    stand?.release();
  }

  /** That something was killed, cut or stopped then. */
  note(crash: string, at: number): void {
    this.crashes.push({ crash, at });
  }

  /** What the last attempt of the activity that is under way ended with. */
  async lastFailure(): Promise<string | null | undefined> {
    const { raw } = await this.run.handle.describe();
    return raw.pendingActivities?.[0]?.lastFailure?.applicationFailureInfo?.type;
  }

  /** Milliseconds from each crash to the next thing that got done. */
  async delays(): Promise<ReadonlyMap<string, number>> {
    const { events } = await this.run.handle.fetchHistory();
    const done = (events ?? [])
      .filter((event) => event.activityTaskCompletedEventAttributes ?? event.timerFiredEventAttributes)
      .map(({ eventTime }) => Number(eventTime?.seconds) * 1_000 + Number(eventTime?.nanos) / 1e6);
    return new Map(this.crashes.map(({ crash, at }) => [crash, (done.find((time) => time > at) ?? Number.NaN) - at]));
  }
}
