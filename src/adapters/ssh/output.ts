/**
 * Turns the bytes of a command's output into text, with a limit on what is kept.
 * @module
 */
import { StringDecoder } from 'node:string_decoder';

/** Keeps the first `maxBytes` of a stream. A character that packets split arrives whole; one that the limit splits is left out. */
export class CappedText {
  private readonly decoder = new StringDecoder('utf8');
  private kept = 0;
  private text = '';
  truncated = false;

  constructor(private readonly maxBytes: number) {}

  push(chunk: Buffer): void {
    const room = this.maxBytes - this.kept;
    if (chunk.length > room) this.truncated = true;
    const taken = chunk.subarray(0, room);
    this.kept += taken.length;
    this.text += this.decoder.write(taken);
  }

  end(): string {
    return this.truncated ? this.text : this.text + this.decoder.end();
  }
}

/** A longer line is cut: output without line ends must not fill the memory. */
const MAX_LINE_CHARS = 64 * 1024;

/** Calls back with each line, without its line end; a last line without one is handed over at the end. */
export class LineReader {
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';

  constructor(private readonly onLine: (line: string) => void) {}

  push(chunk: Buffer): void {
    const lines = (this.rest + this.decoder.write(chunk)).split('\n');
    this.rest = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS);
    for (const line of lines) this.onLine(line.slice(0, MAX_LINE_CHARS));
  }

  end(): void {
    const last = this.rest + this.decoder.end();
    this.rest = '';
    if (last !== '') this.onLine(last);
  }
}
