/**
 * The copy of what booted: kernel, image, menu entry and command line. It is the ground everything later falls back to, so it is only ever made
 * from a boot image that has itself booted.
 * @module
 */
import { parseGrubConfig } from '../boot/grub-config.js';
import { KNOWN_GOOD_TOKEN } from '../boot/reboot.js';
import { withoutOurs } from '../boot/custom-cfg.js';

export interface KnownGoodFacts {
  readonly strategy: 'known-good' | 'direct';
  readonly commandLine: string;
  /** As `uname -r` says. */
  readonly kernel: string;
  /** Seconds since 1970; null when unknown. */
  readonly bootTime: number | null;
  readonly imageMtime: number | null;
  /** A run has committed: what it kept as known good stays. */
  readonly committed: boolean;
  /** The copy is complete and undamaged; for which kernel. */
  readonly copy: { readonly kernel: string; readonly sameAsInPlace: boolean } | null;
}

export type KnownGoodDecision =
  | { readonly kind: 'keep'; readonly why: string }
  | { readonly kind: 'copy' }
  | { readonly kind: 'refuse'; readonly why: string };

export function decideKnownGood(facts: KnownGoodFacts): KnownGoodDecision {
  const { copy } = facts;
  if (facts.strategy === 'direct') return { kind: 'keep', why: 'direct strategy: no known-good copy' };
  const words = facts.commandLine.split(/\s+/);
  // A trial is what is to be proven, and the known-good boot is the copy itself: neither is a source.
  const ours = words.some((word) => word === KNOWN_GOOD_TOKEN || word.startsWith('gpu-provision.trial='));
  if (copy !== null) {
    if (facts.committed) return { kind: 'keep', why: 'kept since an earlier run committed' };
    if (copy.sameAsInPlace) return { kind: 'keep', why: 'the copy is equal to what is in place' };
    if (ours) return { kind: 'keep', why: 'the copy is what booted before the trial' };
  }
  if (ours) {
    return {
      kind: 'refuse',
      why: 'the host runs a boot that an earlier run made, and its known-good copy is incomplete: reboot into the default entry',
    };
  }
  if (facts.bootTime === null || facts.imageMtime === null)
    return { kind: 'refuse', why: `no boot image of the running kernel ${facts.kernel}, or its boot time is unknown` };
  if (facts.imageMtime < facts.bootTime) return { kind: 'copy' };
  if (copy?.kernel === facts.kernel)
    return { kind: 'keep', why: 'the image was rebuilt since; the copy is what booted' };
  return {
    kind: 'refuse',
    why: 'the boot image was rebuilt after this boot, so nobody knows whether it boots: reboot once by hand, then start again',
  };
}

/** What a copy holds besides its initrds. The manifest is written last. */
export const COPY = { kernel: 'vmlinuz', stanza: 'stanza', commandLine: 'cmdline', manifest: 'manifest' } as const;

/** A copy is named after its manifest, so that a folder of that name never holds anything else. 64 bits, in hex. */
export const versionOf = (manifestSha256: string): string => manifestSha256.slice(0, 16);
export const isVersion = (name: string): boolean => /^[0-9a-f]{16}$/.test(name);

/** Copies that a custom.cfg boots, by version. */
export function versionsIn(customCfg: string): readonly string[] {
  return [...customCfg.matchAll(/\/gpu-provision\/known-good\/([0-9a-f]{16})\//g)].map(([, version = '']) => version);
}

/** Names of a copy's initrds, in the order GRUB loads them. */
export function initrdNames(files: ReadonlyMap<string, string>): readonly string[] {
  const others: readonly string[] = [COPY.kernel, COPY.stanza, COPY.commandLine];
  return [...files.keys()].filter((name) => !others.includes(name));
}

/** The image of initramfs-tools is `initrd.img` whatever its kernel; microcode keeps its name. */
export function initrdName(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name.startsWith('initrd.img-') ? 'initrd.img' : name;
}

/** BOOT_IMAGE as GRUB's entry names it, without a device in front (`(hd0,gpt2)/vmlinuz-…`); null when GRUB did not say. */
function bootImage(commandLine: string): string | null {
  const image = /(?:^|\s)BOOT_IMAGE=(\S+)/.exec(commandLine)?.[1]?.replace(DEVICE, '');
  return image !== undefined && /^\/[\w./+~-]+$/.test(image) ? image : null;
}

/** The kernel that booted, as a path on the host. Where /boot is a file system of its own, GRUB's paths start there. */
export function bootedKernelPath(commandLine: string): string | null {
  const image = bootImage(commandLine);
  return image === null ? null : onHost(image);
}

/** `(hd0,gpt2)` before a path. */
const DEVICE = /^\([^)]*\)/;

/** A path as an entry names it, on the host. */
export function onHost(grubPath: string): string {
  const path = grubPath.replace(DEVICE, '');
  return path.startsWith('/boot/') ? path : `/boot${path}`;
}

/** The initrds of a stanza as paths on the host, in their order; null when one of them is not a plain path. */
export function initrdPaths(stanza: string): readonly string[] | null {
  const initrds = (parseGrubConfig(stanza).entries[0]?.initrds ?? []).map((path) => path.replace(DEVICE, ''));
  return initrds.every((path) => /^\/[\w./+~-]+$/.test(path)) ? initrds.map(onHost) : null;
}

/**
 * The menu entry of grub.cfg that booted, with the arguments the kernel really got: grub.cfg may have been generated anew since, and holds
 * variables. null when there is none for this kernel.
 */
export function bootedStanza(grubCfg: string, commandLine: string): string | null {
  const image = bootImage(commandLine);
  if (image === null) return null;
  const args = withoutOurs(commandLine.split(/\s+/).filter((word) => word !== '' && !word.startsWith('BOOT_IMAGE=')));
  const candidates = stanzas(grubCfg).filter(({ linux }) => linux === image);
  const exact = candidates.find((candidate) => candidate.args.join(' ') === args.join(' '));
  const chosen = exact ?? candidates.find((candidate) => !/recovery/i.test(candidate.title));
  // A second kernel in one entry: GRUB would boot that one, with arguments of its own.
  if (chosen?.text.filter((line) => LINUX.test(line)).length !== 1) return null;
  return chosen.text
    .map((line) => line.replace(LINUX, (_, start: string) => [start, ...args].join(' ')))
    .join('\n')
    .concat('\n');
}

const LINUX = /^(\s*linux(?:efi)?\s+\S+).*$/;

interface Stanza {
  readonly text: readonly string[];
  readonly title: string;
  readonly linux: string;
  readonly args: readonly string[];
}

function stanzas(grubCfg: string): readonly Stanza[] {
  const found: Stanza[] = [];
  let text: string[] | null = null;
  for (const line of grubCfg.split('\n')) {
    if (/^\s*menuentry\s/.test(line)) text = [];
    if (text === null) continue;
    text.push(line);
    if (!/^\s*\}\s*$/.test(line)) continue;
    const entry = parseGrubConfig(text.join('\n')).entries[0];
    if (entry !== undefined) found.push({ text, title: entry.title, linux: entry.linux, args: entry.args });
    text = null;
  }
  return found;
}

/** Lines `SHA256  NAME`, as sha256sum writes and checks them. */
export function renderManifest(hashes: ReadonlyMap<string, string>): string {
  return [...hashes].map(([name, hash]) => `${hash}  ${name}\n`).join('');
}

/** Hashes by name, in the order of the lines; null when it is not such a list. */
export function parseManifest(text: string): ReadonlyMap<string, string> | null {
  const hashes = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const match = /^([0-9a-f]{64}) {2}([\w.-]+)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) return null;
    hashes.set(match[2], match[1]);
  }
  return hashes;
}
