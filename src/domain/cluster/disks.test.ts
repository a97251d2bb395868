import { describe, expect, it } from 'vitest';
import { EMPTY_DISK } from '../../../test/support/host-facts.js';
import { parseFactLines } from '../preflight/fact-lines.js';
import { diskQuestion, identityOf, parseDisks, unfitDisks, whyUnfit, type DiskFacts } from './disks.js';

const ID = '/dev/disk/by-id/nvme-A';
const BLOCK = {
  name: 'nvme1n1',
  type: 'disk',
  size: 3_840_755_982_336,
  ro: false,
  model: 'SAMSUNG MZQL23T8HCLS-00A07',
  serial: 'S64GNE0R100001',
  fstype: null,
  pttype: null,
  mountpoints: [null],
};

interface Said {
  readonly block?: object | null;
  readonly wipefs?: string;
  readonly wipefsExit?: number;
  readonly blkid?: string;
  readonly blkidExit?: number;
  readonly holders?: readonly string[];
}

/** As the script prints what util-linux 2.39 says. */
function read({ block = {}, wipefs = '', wipefsExit = 0, blkid = '', blkidExit = 2, holders = [] }: Said): DiskFacts {
  const lsblk = block === null ? '' : JSON.stringify({ blockdevices: [{ ...BLOCK, ...block }] }, null, 3);
  const lines = (key: string, text: string): string =>
    text
      .split('\n')
      .map((line) => `0.${key}\t${line}\n`)
      .join('');
  const output = `0.device\t/dev/nvme1n1\n0.lsblk.rc\t${block === null ? 32 : 0}\n${lines('lsblk', lsblk)}0.wipefs.rc\t${wipefsExit}\n${lines('wipefs', wipefs)}0.blkid.rc\t${blkidExit}\n${lines('blkid', blkid)}${holders.map((name) => `0.holder\t${name}\n`).join('')}end\tok\n`;
  const parsed = parseFactLines(output);
  if (!parsed.ok) throw new Error(parsed.problem);
  const [disk] = parseDisks([ID], parsed.value);
  if (disk === undefined) throw new Error('no disk');
  return disk;
}

const part = { name: 'nvme1n1p1', type: 'part', mountpoints: [null] };
const mounted = (path: string): object => ({ ...part, mountpoints: [path] });

describe('an empty disk', () => {
  it('is recognised, with what people know it by', () => {
    const disk = read({});
    expect(whyUnfit(disk)).toBeNull();
    expect(identityOf(disk)).toEqual({ id: ID, serial: BLOCK.serial, model: BLOCK.model, bytes: BLOCK.size });
  });
});

describe('a disk that must not be taken', () => {
  it.each<[string, Said, RegExp]>([
    ['lsblk cannot read it', { block: null }, /cannot be read by lsblk/],
    ['a partition', { block: { type: 'part' } }, /is no whole disk but a part/],
    ['read-only', { block: { ro: true } }, /read-only/],
    ['a partition table that udev knows', { block: { pttype: 'gpt' } }, /is not empty: gpt/],
    ['a file system that udev knows', { block: { fstype: 'ext4' } }, /is not empty: ext4/],
    ['a signature that only wipefs sees', { wipefs: 'zfs_member\nzfs_member' }, /is not empty: zfs_member$/],
    ['a signature that only blkid sees', { blkid: 'DEVNAME=/dev/x\nTYPE=LVM2_member', blkidExit: 0 }, /LVM2_member/],
    ['two signatures at once, which blkid does not decide', { blkidExit: 8 }, /nobody knows that it is empty/],
    ['no wipefs', { wipefsExit: 127 }, /nobody knows that it is empty/],
    ['a wipefs that fails', { wipefsExit: 1 }, /nobody knows that it is empty/],
    ['no blkid', { blkidExit: 127 }, /nobody knows that it is empty/],
    ['partitions', { block: { children: [part] } }, /has nvme1n1p1 on it/],
    ['a mounted partition', { block: { children: [mounted('/srv')] } }, /is in use at \/srv/],
    ['swap', { block: { mountpoints: ['[SWAP]'] } }, /is in use at \[SWAP\]/],
    ['the root file system', { block: { children: [mounted('/boot/efi'), mounted('/')] } }, /holds the system/],
    ['root on LVM on it', { block: { children: [{ ...part, children: [mounted('/')] }] } }, /holds the system/],
    ['a holder without a name in lsblk', { holders: ['bcache0'] }, /is held by bcache0/],
    ['no serial', { block: { serial: '  ' } }, /says no serial/],
    ['no size', { block: { size: null } }, /says no serial or size/],
  ])('%s', (_, said, why) => {
    expect(whyUnfit(read(said))).toMatch(why);
  });

  it('that is not there', () => {
    expect(unfitDisks([{ ...EMPTY_DISK, device: null, type: null }])).toEqual([`${EMPTY_DISK.id} is not there`]);
  });

  it('under a second id', () => {
    const again = { ...EMPTY_DISK, id: '/dev/disk/by-id/wwn-0x5' };
    expect(unfitDisks([EMPTY_DISK, again])).toEqual([`/dev/disk/by-id/wwn-0x5 is the same disk as ${EMPTY_DISK.id}`]);
  });
});

it('the question names each disk by model, size, serial and id, and the digest', () => {
  const plan = { pool: 'data', backend: 'zfs', node: 'h100-01', disks: [identityOf(EMPTY_DISK)], digest: '7f3a-91c2' };
  expect(diskQuestion(plan, 'h100-01')).toBe(
    `h100-01 gives 1 empty disk to LINSTOR pool data (zfs), for good: SAMSUNG MZQL23T8HCLS-00A07 3.84 TB serial S64GNE0R100001 (${EMPTY_DISK.id}). Digest 7f3a-91c2`,
  );
});
