/**
 * The view of a run in a terminal: redrawn in place, with keys to decide. Leaving it changes nothing.
 * @module
 */
import { ClientError, type ProvisionClient } from '../client.js';
import type { RebootPlan } from '../domain/boot/plan.js';
import type { Choice, OpenQuestion } from '../domain/run/questions.js';
import type { RunView } from '../domain/run/view.js';
import { renderReceipt, renderRefusal } from '../domain/text/receipts.js';
import { isFinal, planInFull, renderWatch } from '../domain/text/watch.js';
import type { Terminal } from './io.js';
import type { Screen } from './screen.js';

const CLEAR_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const up = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}A`);

/** What a key means, by the kind of the open question. Keys that aren't here do nothing. */
const KEYS: Readonly<Record<OpenQuestion['kind'], Readonly<Record<string, Choice>>>> = {
  reboot: { a: 'approve', r: 'reject' },
  disks: { a: 'approve', r: 'reject' },
  decommission: { a: 'approve', r: 'reject' },
  parked: { t: 'resume', g: 'reject' },
  'needs-hands': {},
};

/** null when it was left. */
export async function liveView(
  client: ProvisionClient,
  server: string,
  terminal: Terminal,
  screen: Screen,
): Promise<RunView | null> {
  return new LiveView(client, server, terminal, screen).run();
}

class LiveView {
  private readonly left = new AbortController();
  private view: RunView | null = null;
  /** Lines of the frame on the screen. */
  private drawn = 0;
  /** Below the frame until the next decision. */
  private note: readonly string[] = [];
  /** While somebody types, nothing is drawn. */
  private busy: Promise<void> | null = null;
  private stopKeys: () => void = () => undefined;
  /** A bug in a dialogue; it ends the view. */
  private bug: unknown = null;

  constructor(
    private readonly client: ProvisionClient,
    private readonly server: string,
    private readonly terminal: Terminal,
    private readonly screen: Screen,
  ) {}

  async run(): Promise<RunView | null> {
    const { signal } = this.screen.io;
    const leave = (): void => this.left.abort();
    signal.addEventListener('abort', leave);
    this.listen();
    try {
      for await (const { view } of this.client.watch(this.server, { signal: this.left.signal })) {
        this.view = view;
        if (this.busy !== null) await this.busy;
        if (this.left.signal.aborted) break;
        this.draw();
        if (isFinal(view)) return view;
      }
      if (this.bug !== null) throw this.bug;
      return null;
    } finally {
      this.stopKeys();
      signal.removeEventListener('abort', leave);
    }
  }

  private listen(): void {
    this.stopKeys = this.terminal.onKey((key) => this.pressed(key));
  }

  private pressed(key: string): void {
    if (this.busy !== null) return;
    if (key === 'q' || key === 'ctrl-c' || key === 'ctrl-d') return this.left.abort();
    const status = this.view?.status ?? null;
    const question = status?.question ?? null;
    const choice = question === null ? undefined : KEYS[question.kind][key];
    if (question !== null && choice !== undefined) this.busy = this.type(() => this.decide(question, choice));
    else if (key === 'd' && status !== null && status.plan !== null) {
      const { plan } = status;
      this.busy = this.type(() => this.showDiff(plan));
    }
  }

  /** Gives the keyboard to a dialogue below the frame, then draws a fresh frame below that. */
  private async type(dialogue: () => Promise<void>): Promise<void> {
    this.stopKeys();
    try {
      await dialogue();
    } catch (error) {
      if (error instanceof ClientError) this.note = renderRefusal(error.message, this.screen.width);
      else {
        this.bug = error;
        this.left.abort();
      }
    } finally {
      this.drawn = 0;
      this.busy = null;
      if (!this.left.signal.aborted) this.listen();
    }
  }

  /** A reason, and the server's name typed: nobody reboots the wrong one of two terminals. */
  private async decide(question: OpenQuestion, choice: Choice): Promise<void> {
    const reason = await this.terminal.ask('reason (a change number will do): ');
    if (reason === null) return this.notDone(choice);
    const typed = await this.terminal.ask(`type the server's name to ${choice} ${question.id} ${question.digest}: `);
    if (typed?.trim() !== this.server) return this.notDone(choice);
    const receipt = await this.client.decide(this.server, choice, {
      gate: question.id,
      reason: reason.trim(),
      by: this.screen.io.identity,
      ...(question.digest === '' ? {} : { digest: question.digest }),
    });
    this.note = renderReceipt(this.server, receipt, receipt.at, this.screen.width);
  }

  private notDone(choice: Choice): void {
    this.note = renderRefusal(`nothing was sent: to ${choice}, type ${this.server}`, this.screen.width);
  }

  private async showDiff(plan: RebootPlan): Promise<void> {
    this.screen.progress(['', ...planInFull(plan, this.screen.width)]);
    await this.terminal.ask('Enter goes back: ');
  }

  /** Writes over the frame before, line by line, so that nothing flickers. The last lines win where the terminal is low. */
  private draw(): void {
    if (this.view === null) return;
    const lines = [...renderWatch(this.view, { width: this.screen.width, keys: true }), ...this.note];
    const fitting = lines.slice(-Math.max(1, this.terminal.rows - 1));
    const text = this.screen.shown(fitting).replaceAll('\n', `${CLEAR_LINE_END}\n`);
    this.screen.io.stderr(`${up(this.drawn)}${text}${CLEAR_BELOW}`);
    this.drawn = fitting.length;
  }
}
