/**
 * Virtual time: events in the order of their times, and of their making where times are equal.
 * @module
 */
type Act = () => void | Promise<void>;

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly act: Act;
}

export class VirtualClock {
  private readonly events: Event[] = [];
  private made = 0;

  constructor(public nowMs: number) {}

  after(ms: number, act: Act): void {
    this.at(this.nowMs + ms, act);
  }

  at(atMs: number, act: Act): void {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.made, act };
    this.made += 1;
    let place = this.events.length;
    while (place > 0 && isAfter(this.events[place - 1], event)) place -= 1;
    this.events.splice(place, 0, event);
  }

  /** Moves to the next event and lets it happen. False when there is none. */
  async step(): Promise<boolean> {
    const event = this.events.shift();
    if (event === undefined) return false;
    this.nowMs = event.atMs;
    await event.act();
    return true;
  }
}

const isAfter = (a: Event | undefined, b: Event): boolean =>
  a !== undefined && (a.atMs > b.atMs || (a.atMs === b.atMs && a.order > b.order));
