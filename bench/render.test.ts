import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { pageOf, shown, textOf, type Measurement } from './render.js';

const measurement: Measurement = {
  command: 'npm run bench',
  startedAt: '2026-11-28T18:00:00.000Z',
  seconds: 61.2,
  machine: { cores: 2, model: 'Some CPU', memoryGiB: 8, node: '20.20.0', loadAtStart: 0.4 },
  sections: [
    {
      bench: 'overhead',
      rows: [
        { name: 'wall time', unit: 's', median: 20.1234, min: 19, max: 22.5, n: 3 },
        { name: 'reboots issued for each approved', unit: 'reboots', median: 1, min: 1, max: 1, n: 3 },
      ],
    },
    { bench: 'whole-run', rows: [{ name: 'history', unit: 'events', median: 0, min: 0, max: 0, n: 1 }] },
  ],
};

it('the table has the machine first and the count of figures last', () => {
  expect(textOf(measurement)).toMatchInlineSnapshot(`
    "2 cores (Some CPU), 8 GiB, Node 20.20.0, load 0.4 at the start

    name                              unit     median  min   max  n

    # phases 1, 2 and 4, which need only the host
    wall time                         s          20.1   19  22.5  3
    reboots issued for each approved  reboots       1    1     1  3

    # all eight phases
    history                           events        0    0     0  1

    3 figures in 61 s
    "
  `);
});

it('says when the machine was too busy for its times to mean anything', () => {
  const busy = { ...measurement, machine: { ...measurement.machine, loadAtStart: 14.2 } };
  expect(textOf(busy).split('\n')[0]).toBe(
    '2 cores (Some CPU), 8 GiB, Node 20.20.0, load 14.2 at the start: BUSY, times are not to be trusted',
  );
});

it('the page is as Prettier would set it', async () => {
  const page = pageOf(measurement);
  const options = await resolveConfig('docs/benchmarks.md');
  expect(page).toBe(await format(page, { ...options, parser: 'markdown' }));
  expect(page).toContain('| reboots issued for each approved | reboots |      1 |   1 |    1 |   3 |');
});

it.each([
  [0, '0'],
  [1234.56, '1235'],
  [20.1234, '20.1'],
  [1.23456, '1.23'],
  [0.0123, '0.012'],
  [-0.5, '-0.500'],
])('%d is shown as %s', (value, text) => {
  expect(shown(value)).toBe(text);
});
