import { describe, expect, it } from 'vitest';
import { FIRST_MESSAGE_SPAN, ownSpan, ownSpanId, parseTraceParent, traceCarrier } from './trace.js';

const RUN = '0190b1a2-3c4d-7e5f-8123-ffffffffffff';

describe('the trace of a run that was told of none', () => {
  it('follows from its run id', () => {
    expect(ownSpan(RUN, 0)).toEqual({
      traceId: '0190b1a23c4d7e5f8123ffffffffffff',
      spanId: '8123ffffffffffff',
      sampled: true,
    });
  });

  it('has another id for each of its spans', () => {
    const numbers = [0, 1, 2, 500, FIRST_MESSAGE_SPAN + 1, FIRST_MESSAGE_SPAN + 2];
    const ids = numbers.map((number) => ownSpanId(RUN, number));
    expect(new Set(ids).size).toBe(numbers.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  });

  it('has ids of the right length for a run id of any form', () => {
    expect(parseTraceParent(traceCarrier(ownSpan('run 12', 3)))).toEqual(ownSpan('run 12', 3));
  });
});

describe('a header', () => {
  it.each(['00', '01'])('is read as it is written, flags %s', (flags) => {
    const traceparent = `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`;
    const read = parseTraceParent({ traceparent });
    expect(read).toMatchObject({ sampled: flags === '01' });
    expect(read && traceCarrier(read)).toEqual({ traceparent });
  });

  it.each([null, 'text', {}, { traceparent: 7 }, { traceparent: '00-0af7-b7ad-01' }])(
    'that is no trace, %o, is none',
    (carrier) => {
      expect(parseTraceParent(carrier)).toBeNull();
    },
  );
});
