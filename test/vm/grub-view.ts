/**
 * What GRUB would read now, against what Linux shows: the same only if every write below /boot was made durable for GRUB.
 * @module
 */
import { createHash } from 'node:crypto';
import type { BootSite } from './rig.js';

/** Paths that GRUB would find missing or different. The EFI system partition is another file system, which nothing of ours writes. */
export async function unseenByGrub(site: BootSite): Promise<readonly string[]> {
  const out = await site.sh(
    `find /boot -xdev -type f '(' -name '*.cfg' -o -name grubenv -o -name 'vmlinuz*' -o -name 'initrd*' ')' -exec sha256sum {} +`,
  );
  const unseen: string[] = [];
  for (const line of out.trim().split('\n')) {
    const [hash, path = ''] = line.split(/\s+/);
    const bytes = await site.machine.grubReads(path);
    if (bytes === null || createHash('sha256').update(bytes).digest('hex') !== hash) unseen.push(path);
  }
  return unseen;
}
