import { array, assert, property, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConsoleLog, HEAD_BYTES, TAIL_BYTES } from './console-log.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function logOf(...said: readonly (string | Uint8Array)[]): ConsoleLog {
  const log = new ConsoleLog();
  for (const one of said) log.hear(typeof one === 'string' ? bytes(one) : one);
  return log;
}

describe('the log of a console', () => {
  it('is what was said, however it was cut into packets', () => {
    const log = logOf('[    1.0', '02345] Kernel panic - not syncing: VFS\r', '\n---[ end Kernel pa', 'nic ]---\r\n');
    const lines = ['[    1.002345] Kernel panic - not syncing: VFS', '---[ end Kernel panic ]---'];
    expect(log.lines()).toEqual(lines);
    expect(log.lastLine()).toBe(lines[1]);
  });

  it('is empty when nothing was said', () => {
    expect(logOf().lines()).toEqual([]);
    expect(logOf('\r\n\r\n \u001b[2J').lastLine()).toBeNull();
  });

  it('shows a menu as lines: GRUB over a serial line', () => {
    const menu =
      '\u001b[0m\u001b[30;40m\u001b[2J\u001b[01;01H\u001b[0;37;40m\u001b[02;30HGNU GRUB  version 2.12\u001b[08;03H*gpu-provision known-good   \u001b[09;03H Ubuntu\u001b[22;04H';
    expect(logOf(menu).lines()).toEqual(['GNU GRUB  version 2.12', '*gpu-provision known-good', ' Ubuntu']);
  });

  it('has nothing left that acts on a terminal, and no line that goes on for ever', () => {
    const log = logOf(`\u001b]0;title\u0007\u001bcx\u0000\u0001\u202e${'y'.repeat(5_000)}`);
    expect(log.lines().join('')).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(log.lastLine()).toHaveLength(200);
  });

  it('reads what is no text', () => {
    expect(logOf(Uint8Array.from([0xff, 0xfe, 0x80, 0x41])).lines()).toEqual(['\ufffd\ufffd\ufffdA']);
  });

  it('keeps the beginning and the end of a console that does not stop, and says how much is missing', () => {
    const line = (n: number): string => `line ${String(n).padStart(8, '0')}\r\n`;
    const log = new ConsoleLog();
    const count = 50_000;
    for (let n = 0; n < count; n += 1) log.hear(bytes(line(n)));
    const lines = log.lines();
    expect(lines[0]).toBe('line 00000000');
    expect(lines.at(-1)).toBe(`line ${String(count - 1).padStart(8, '0')}`);
    expect(lines).toContain(`… ${count * line(0).length - HEAD_BYTES - TAIL_BYTES} bytes left out …`);
    expect(lines.join('\r\n').length).toBeLessThan(HEAD_BYTES + TAIL_BYTES + 100);
  });

  it('loses nothing and mixes nothing up, whatever sizes the packets have', () => {
    const size = { minLength: 1, maxLength: 8, size: 'max' } as const;
    assert(
      property(
        array(uint8Array({ min: 97, max: 122, minLength: 1, maxLength: 60_000, size: 'max' }), size),
        (packets) => {
          const whole = Buffer.concat(packets).toString();
          const rest = whole.slice(HEAD_BYTES);
          const expected =
            rest.length <= TAIL_BYTES
              ? [whole]
              : [whole.slice(0, HEAD_BYTES), `… ${rest.length - TAIL_BYTES} bytes left out …`, rest.slice(-TAIL_BYTES)];
          expect(logOf(...packets).lines()).toEqual(expected);
        },
      ),
      { numRuns: 50 },
    );
    const huge = 'h'.repeat(HEAD_BYTES) + 'm'.repeat(1_000) + 't'.repeat(TAIL_BYTES);
    expect(logOf(huge).lines()).toEqual(['h'.repeat(HEAD_BYTES), '… 1000 bytes left out …', 't'.repeat(TAIL_BYTES)]);
    expect(logOf('', huge, 'x').lines().at(-1)).toBe(`${'t'.repeat(TAIL_BYTES - 1)}x`);
  });
});
