import { describe, expect, it } from 'vitest';
import { Disk } from './disk.js';
import { directory, file, textOf, type Entry } from './entry.js';
import { FileSystem } from './file-system.js';

/** A disk with `/a` holding `old`, a file system on it, and what each reader sees. */
function fresh(): {
  disk: Disk;
  fs: FileSystem;
  linux: (path: string) => string | null;
  grub: (path: string) => string | null;
} {
  const disk = new Disk(
    new Map<string, Entry>([
      ['/', directory()],
      ['/a', file('old')],
    ]),
  );
  const text = (entry: Entry | undefined): string | null => (entry?.kind === 'file' ? textOf(entry.content) : null);
  return {
    disk,
    fs: new FileSystem([{ at: '/', volume: disk }], 0, () => true),
    linux: (path) => text(disk.get(path)),
    grub: (path) => text(disk.grub(path)),
  };
}

const SOON = (): number => Date.now() + 1_000;
const LATE = (): number => Date.now() + 60_000;

describe('a power cut', () => {
  it('loses what was written and not synced, and keeps what the kernel wrote back by itself', async () => {
    const soon = fresh();
    await soon.fs.writeFile('/a', 'new');
    soon.disk.powerCut(SOON());
    expect(soon.linux('/a')).toBe('old');
    const late = fresh();
    await late.fs.writeFile('/a', 'new');
    late.disk.powerCut(LATE());
    expect(late.linux('/a')).toBe('new');
  });

  it('keeps an fsynced file for Linux, while GRUB still sees the old one', async () => {
    const { disk, fs, linux, grub } = fresh();
    await fs.writeFile('/a', 'new');
    disk.fsync('/a');
    disk.powerCut(SOON());
    expect([linux('/a'), grub('/a')]).toEqual(['new', 'old']);
    disk.mount();
    expect(grub('/a')).toBe('new');
  });

  it('undoes a rename that no later commit made durable', async () => {
    const { disk, fs, linux } = fresh();
    await fs.writeFile('/b', 'new');
    disk.fsync('/b');
    await fs.mv('/b', '/a');
    disk.powerCut(SOON());
    expect([linux('/a'), linux('/b')]).toEqual(['old', 'new']);
  });

  it('keeps a rename once anything is fsynced after it, but not the data of other files', async () => {
    const { disk, fs, linux } = fresh();
    await fs.writeFile('/b', 'new');
    disk.fsync('/b');
    await fs.mv('/b', '/a');
    await fs.writeFile('/unsynced', 'x');
    await fs.chmod('/unsynced', 0o600);
    await fs.writeFile('/c', 'c');
    disk.fsync('/c');
    disk.powerCut(SOON());
    expect([linux('/a'), linux('/b'), linux('/c'), linux('/unsynced')]).toEqual(['new', null, 'c', null]);
  });

  it('loses nothing after sync -f, for Linux and for GRUB', async () => {
    const { disk, fs, linux, grub } = fresh();
    await fs.writeFile('/b', 'new');
    await fs.rm('/a');
    disk.syncAll();
    disk.powerCut(SOON());
    expect([linux('/b'), grub('/b'), linux('/a'), grub('/a')]).toEqual(['new', 'new', null, null]);
  });
});

describe('who may write', () => {
  it('is decided by owner and mode', async () => {
    const { fs, disk } = fresh();
    const user = new FileSystem([{ at: '/', volume: disk }], 1000, () => true);
    await fs.mkdir('/home');
    fs.change('/home', { uid: 1000, gid: 1000 });
    await user.writeFile('/home/own', 'x');
    await expect(user.writeFile('/a', 'x')).rejects.toThrow('EACCES: permission denied');
    await expect(user.writeFile('/new', 'x')).rejects.toThrow('EACCES: permission denied');
    await expect(user.chmod('/a', 0o777)).rejects.toThrow('EPERM: operation not permitted');
    await fs.chmod('/a', 0o600);
    await expect(user.readFile('/a')).rejects.toThrow('EACCES: permission denied');
  });

  it('ends with the boot', async () => {
    const { disk } = fresh();
    let alive = true;
    const fs = new FileSystem([{ at: '/', volume: disk }], 0, () => alive);
    alive = false;
    await expect(fs.writeFile('/a', 'x')).rejects.toThrow('EIO: the machine is off');
  });
});
