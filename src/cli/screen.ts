/**
 * How lines reach the two streams: in width, in ASCII if asked, coloured if somebody sees it.
 * @module
 */
import { ascii, plain, plainJson } from '../domain/text/plain.js';
import { coloured, wantsColour } from './colour.js';
import type { Io } from './io.js';

export interface OutputOptions {
  readonly json: boolean;
  readonly ascii: boolean;
}

/** Wider lines are harder to read: times would stand far from what they belong to. */
const WIDEST_COLUMNS = 140;
/** Narrower terminals are rare, and every line of a gate would be broken several times. */
const NARROWEST_COLUMNS = 40;

export class Screen {
  constructor(
    readonly io: Io,
    readonly options: OutputOptions,
  ) {}

  get width(): number {
    return Math.min(WIDEST_COLUMNS, Math.max(NARROWEST_COLUMNS, this.io.columns));
  }

  result(lines: readonly string[]): void {
    this.io.stdout(this.shown(lines, this.io.stdoutIsTerminal));
  }

  resultJson(value: unknown): void {
    this.io.stdout(`${plainJson(value)}\n`);
  }

  /** One message; as JSON one line, since whoever asks for JSON reads both streams with a parser. */
  progress(lines: readonly string[]): void {
    if (this.options.json)
      this.io.stderr(`${plainJson({ kind: 'message', message: lines.map((line) => line.trim()).join(' ') })}\n`);
    else this.io.stderr(this.shown(lines));
  }

  /** Lines of a log, each complete in itself. */
  events(lines: readonly string[]): void {
    this.io.stderr(this.shown(lines));
  }

  /** As they are to be written, each with its end. */
  shown(lines: readonly string[], seen = true): string {
    const colours = seen && wantsColour(this.io);
    return lines
      .map(plain)
      .map((line) => (this.options.ascii ? ascii(line) : line))
      .map((line) => `${colours ? coloured(line) : line}\n`)
      .join('');
  }
}
