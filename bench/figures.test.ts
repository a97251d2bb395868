import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covered, median, merged, rowOf } from './figures.js';

const whole = { from: 0, to: 100 };

describe('covered', () => {
  it.each([
    ['nothing', [], 0],
    [
      'two that overlap, once',
      [
        [10, 30],
        [20, 40],
      ],
      30,
    ],
    [
      'one inside another, once',
      [
        [10, 50],
        [20, 30],
      ],
      40,
    ],
    [
      'two apart, whatever their order',
      [
        [60, 70],
        [10, 20],
      ],
      20,
    ],
    [
      'only what lies in the whole',
      [
        [-20, 10],
        [90, 300],
      ],
      20,
    ],
    [
      'nothing outside of it',
      [
        [-20, 0],
        [100, 300],
      ],
      0,
    ],
    ['nothing for an interval that ends before it begins', [[30, 20]], 0],
  ] as const)('counts %s', (_, intervals, expected) => {
    expect(
      covered(
        whole,
        intervals.map(([from, to]) => ({ from, to })),
      ),
    ).toBe(expected);
  });

  it('is as many milliseconds as there are with something in them', () => {
    const interval = fc
      .tuple(fc.integer({ min: -20, max: 120 }), fc.nat(60))
      .map(([from, ms]) => ({ from, to: from + ms }));
    fc.assert(
      fc.property(fc.array(interval), (intervals) => {
        const busy = Array.from({ length: 100 }, (_, at) => intervals.some(({ from, to }) => from <= at && at < to));
        expect(covered(whole, intervals)).toBe(busy.filter(Boolean).length);
      }),
    );
  });
});

describe('median', () => {
  it.each([
    [[5], 5],
    [[10, 9, 100], 10],
    [[4, 1, 3, 2], 2.5],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('of nothing is an error', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

it('figures of several runs become one row for each name', () => {
  const rows = merged([
    [
      { name: 'wall', unit: 's', values: [3] },
      { name: 'events', unit: 'events', values: [500] },
    ],
    [
      { name: 'wall', unit: 's', values: [1] },
      { name: 'events', unit: 'events', values: [501] },
    ],
  ]).map(rowOf);
  expect(rows).toEqual([
    { name: 'wall', unit: 's', median: 2, min: 1, max: 3, n: 2 },
    { name: 'events', unit: 'events', median: 500.5, min: 500, max: 501, n: 2 },
  ]);
});
