import { copyFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { rowOf } from '../../bench/figures.js';
import { benchProvision, HOST_PHASES } from '../../bench/provision.js';
import { startTemporal, type TemporalServer } from '../../lab/tools/start-temporal.js';
import { BuiltProduct } from '../support/built-product.js';

/** Half a minute on two cores, many times that when they are busy. */
const LIMIT_MS = 300_000;

let temporal: TemporalServer;
let product: BuiltProduct;

// A server of its own: the product's worker takes whatever is on the queue that all installations share.
beforeAll(async () => {
  [temporal, product] = await Promise.all([startTemporal(), BuiltProduct.build({ bundles: false })]);
  await copyFile(inject('workflowBundle'), product.path('src/workflow-bundle.cjs'));
}, LIMIT_MS);
afterAll(async () => {
  await temporal.stop();
  await product.remove();
});

it(
  'measures a run of the built worker: every millisecond is somebody’s, and one reboot is issued for the one approved',
  async () => {
    const { address, namespace } = temporal;
    const main = product.path('src/cli/main.js');
    const rows = (await benchProvision({ address, namespace, phases: HOST_PHASES, runs: 1, main })).map(rowOf);
    for (const row of rows) expect(row, row.name).toMatchObject({ n: 1, median: expect.any(Number) });
    const value = (name: string): number => rows.find((row) => row.name.startsWith(name))?.median ?? Number.NaN;
    expect(value('reboots for each approved reboot')).toBe(1);
    expect(value('the cluster is waited for')).toBe(0);
    expect(value('history size')).toBeGreaterThan(value('history'));
    expect(value('history')).toBeGreaterThan(3 * value('activities'));
    for (const part of [
      'host busy',
      'a person',
      'settling after the boot',
      'second reading',
      'orchestration overhead',
      'sshd ready until the new boot',
    ]) {
      expect(value(part), part).toBeGreaterThan(0);
      expect(value(part), part).toBeLessThan(value('wall time'));
    }
    expect(value('of it between') + value('of it inside')).toBeCloseTo(value('orchestration overhead'));
  },
  LIMIT_MS,
);
