/**
 * What a serial console said, bounded and made readable: its beginning, where the boot loader speaks, and its end, where whatever went wrong does.
 * @module
 */
import { plain } from '../text/plain.js';

/** Firmware, GRUB's menu and the kernel's first seconds. */
export const HEAD_BYTES = 64 * 1024;
/** A panic with its traces has some ten kilobytes, and a service that fails all over again before it many more. */
export const TAIL_BYTES = 192 * 1024;
const LAST_LINE_LIMIT = 200;

// oxlint-disable no-control-regex -- a console is made of them.
/** GRUB and firmware put their words at places of a screen: in a log each place is a line of its own. */
const PLACES = /\u001b\[[0-9;]*[Hf]/g;
/** Colours, clearing, modes, the choice of a character set: nothing is said by them. */
const SEQUENCES = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|[()][0-9A-Za-z])/g;
const LINE_ENDS = /\r\n|[\r\n\v\f]/;
// oxlint-enable no-control-regex

export class ConsoleLog {
  private readonly head = new Uint8Array(HEAD_BYTES);
  /** Written round and round. */
  private readonly tail = new Uint8Array(TAIL_BYTES);
  private bytes = 0;

  /** Bytes so far, those that were left out included. */
  get heard(): number {
    return this.bytes;
  }

  hear(bytes: Uint8Array): void {
    const begin = Math.max(0, HEAD_BYTES - this.bytes);
    const first = bytes.subarray(0, begin);
    this.head.set(first, this.bytes < HEAD_BYTES ? this.bytes : 0);
    const rest = bytes.subarray(begin);
    // Of more than fits, the last round stays.
    const kept = rest.subarray(Math.max(0, rest.length - TAIL_BYTES));
    const at = (Math.max(0, this.bytes - HEAD_BYTES) + rest.length - kept.length) % TAIL_BYTES;
    const toTheEdge = kept.subarray(0, TAIL_BYTES - at);
    this.tail.set(toTheEdge, at);
    this.tail.set(kept.subarray(toTheEdge.length));
    this.bytes += bytes.length;
  }

  /** One line after the other, empty ones left out. */
  lines(): readonly string[] {
    const after = Math.max(0, this.bytes - HEAD_BYTES);
    const head = this.head.subarray(0, Math.min(this.bytes, HEAD_BYTES));
    if (after <= TAIL_BYTES) return linesOf(joined(head, this.tail.subarray(0, after)));
    const edge = after % TAIL_BYTES;
    const tail = joined(this.tail.subarray(edge), this.tail.subarray(0, edge));
    return [...linesOf(head), `… ${after - TAIL_BYTES} bytes left out …`, ...linesOf(tail)];
  }

  /** The last line that says something; null when nothing was said. */
  lastLine(): string | null {
    return this.lines().at(-1)?.slice(0, LAST_LINE_LIMIT) ?? null;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}

/** Bytes that are no UTF-8, as of a line whose speed is wrong, show as replacement characters. */
function linesOf(bytes: Uint8Array): readonly string[] {
  return new TextDecoder()
    .decode(bytes)
    .replace(PLACES, '\n')
    .replace(SEQUENCES, '')
    .split(LINE_ENDS)
    .map((line) => plain(line).trimEnd())
    .filter((line) => line.trim() !== '');
}
