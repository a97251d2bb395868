import { describe, expect, it } from 'vitest';
import { whyNotRebooted, type RebootObstacles } from './obstacles.js';
import { drift, ok, type VerifyItem } from './verify.js';

const clear: RebootObstacles = {
  strategy: 'known-good',
  items: [ok('boot.file', '12 of 12 files are as they were committed'), ok('known-good.modules', 'there')],
  committedWithoutHashes: null,
  unconfirmedTrialOf: null,
  vms: [],
  gpuProcesses: [],
};
const unread: VerifyItem = { id: 'boot.file', state: 'unknown', text: 'could not be read', remedy: 'verify again' };

const ROWS: readonly (readonly [string, Partial<RebootObstacles>, string])[] = [
  ['direct strategy', { strategy: 'direct' }, 'boot.strategy is direct'],
  [
    'drift, with its remedy',
    { items: [drift('boot.file', 'X is gone', 'put it back')] },
    'boot.file: X is gone. put it back',
  ],
  ['what could not be read', { items: [unread] }, 'boot.file: could not be read. verify again'],
  ['a commit without hashes', { committedWithoutHashes: 'run-1' }, 'run run-1 was committed by an older version'],
  ['a trial that nobody committed', { unconfirmedTrialOf: 'run-2' }, 'a boot of run run-2 that was never committed'],
  ['a VM', { vms: ['tenant-a/db-0'] }, 'VMs run here: tenant-a/db-0. Stop or move them'],
  ['a process', { gpuProcesses: ['python3 (pid 7)'] }, 'processes hold GPUs: python3 (pid 7). End them'],
];

describe('what stands in the way of a reboot', () => {
  it.each(ROWS)('is %s', (_, change, says) => {
    const problems = whyNotRebooted({ ...clear, ...change });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(says);
  });

  it('is nothing on a host as it was committed, in known-good, or where an earlier reboot did not end', () => {
    const items = [drift('boot.entry', 'known-good', 'reboot'), drift('boot.unfinished', 'run-3', 'reboot')];
    expect(whyNotRebooted(clear)).toEqual([]);
    expect(whyNotRebooted({ ...clear, items })).toEqual([]);
  });

  it('of an upgrade of the kernel is known-good too, but not what it has an answer to', () => {
    const items = [drift('boot.unfinished', 'run-3', 'reboot'), drift('kernel.unfinished', 'run-4', 'upgrade-kernel')];
    const entry = drift('boot.entry', 'the host runs the known-good entry', 'reboot');
    expect(whyNotRebooted({ ...clear, items: [entry] }, 'upgrade-kernel')).toEqual([
      'boot.entry: the host runs the known-good entry. reboot',
    ]);
    expect(whyNotRebooted({ ...clear, items }, 'upgrade-kernel')).toHaveLength(1);
    expect(whyNotRebooted({ ...clear, items }, 'upgrade-kernel', ['kernel.unfinished'])).toEqual([]);
  });
});
