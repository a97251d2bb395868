import { afterEach, describe, expect, it } from 'vitest';
import { DATA_DISK } from '../../lab/rack/options.js';
import { startRackHost, type RackHost } from '../../test/support/rack-host.js';
import { identityOf, unfitDisks } from '../domain/cluster/disks.js';
import { readDisks } from './storage.js';

let rack: RackHost | undefined;
afterEach(async () => {
  await rack?.close();
  rack = undefined;
});

const disk = (name: string, holds?: string): typeof DATA_DISK => ({
  ...DATA_DISK,
  name,
  id: `nvme-${name}`,
  serial: `SERIAL-${name}`,
  ...(holds === undefined ? {} : { holds }),
});
const ids = (...names: readonly string[]): string[] => names.map((name) => `/dev/disk/by-id/nvme-${name}`);

describe('disks on a host', () => {
  it('are read with what people know them by, and nothing is written', async () => {
    rack = await startRackHost({ disks: [disk('nvme1n1'), disk('nvme2n1', 'ext4')] });
    const ctx = rack.context('run-1');
    const spec = { ...rack.spec, disks: ids('nvme1n1', 'nvme2n1', 'nvme9n1') };
    const before = rack.host.snapshot(['/']);
    const found = await readDisks({ ...ctx, spec });
    expect(found[0] === undefined ? null : identityOf(found[0])).toEqual({
      id: '/dev/disk/by-id/nvme-nvme1n1',
      serial: 'SERIAL-nvme1n1',
      model: DATA_DISK.model,
      bytes: DATA_DISK.bytes,
    });
    expect(unfitDisks(found)).toEqual([
      '/dev/disk/by-id/nvme-nvme2n1 is not empty: ext4',
      '/dev/disk/by-id/nvme-nvme9n1 is not there',
    ]);
    expect(rack.host.snapshot(['/'])).toEqual(before);
  });
});
