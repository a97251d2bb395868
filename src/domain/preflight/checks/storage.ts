/** Where volumes are to be: a pool that is there, or empty disks for one. */
import { describeDisk, identityOf, unfitDisks } from '../../cluster/disks.js';
import { describePool, poolProblem } from '../../cluster/storage.js';
import { bad, good, listed, plural, type Check } from '../check.js';

export const STORAGE_CHECKS: readonly Check[] = [
  {
    id: 'storage.pool',
    fails: 'block',
    evaluate: ({ phases, storage: { pool, disks } }, spec) => {
      const { pool: name, backend } = spec.cluster.storage;
      if (!phases.includes('cozystack')) return good('phase 5 is not to be run');
      if (!pool.known) return bad(`whether there is a pool cannot be told: ${pool.problem}`);
      if (pool.value !== null) {
        const problem = poolProblem(pool.value, null);
        const text = `LINSTOR ${describePool(name, pool.value)} is there`;
        return problem === null ? good(text) : bad(`${text}, but ${problem}`);
      }
      if (disks.length === 0) return bad(`no LINSTOR pool ${name}, and no disk for one`);
      const unfit = unfitDisks(disks);
      if (unfit.length > 0) return bad(listed(unfit));
      const names = disks.map((disk) => describeDisk(identityOf(disk)));
      return good(`${plural(disks.length, 'empty disk')} for pool ${name} (${backend}): ${listed(names)}`);
    },
    remedy: ({ storage: { pool } }, spec) =>
      pool.known && pool.value === null
        ? `list empty disks in servers.${spec.name}.disks (lsblk -o NAME,SIZE,SERIAL,FSTYPE; ls -l /dev/disk/by-id). Nothing here wipes a disk: if one is to be emptied, do that by hand`
        : 'wait until LINSTOR answers, and look at linstor storage-pool list in its controller',
  },
];
