/**
 * From the lines of the fact scripts to typed facts. Nothing here throws: a value that makes no sense is null.
 * @module
 */
import { defaultEntry, parseGrubConfig, parseGrubEnvironment, readsCustomCfg } from '../boot/grub-config.js';
import { parseBootReading } from '../boot/reboot.js';
import { kvmModule } from '../preparation/modules.js';
import { earlierBootSeconds } from './earlier-boots.js';
import type { FactLines } from './fact-lines.js';
import type {
  BootFacts,
  BootImage,
  IdentityFacts,
  InitramfsFacts,
  SpaceDir,
  SpaceFacts,
  SystemFacts,
} from './facts.js';

const UNQUOTED = /^(["'])(.*)\1$/;
const unquote = (text: string): string => UNQUOTED.exec(text.trim())?.[2] ?? text.trim();

/** `KEY=VALUE` lines as shells and os-release write them; the last of a key wins. */
function assignments(lines: readonly string[]): Record<string, string> {
  const values = new Map<string, string>();
  for (const line of lines) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
    if (match?.[1] !== undefined) values.set(match[1], unquote(match[2] ?? ''));
  }
  return Object.fromEntries(values);
}

export function identityFacts(lines: FactLines): IdentityFacts {
  const os = assignments(lines.all('os'));
  const [bootId, uptime, commandLine] = ['boot-id', 'uptime', 'command-line'].map((key) => lines.text(key) ?? '');
  const reading = parseBootReading(`${bootId}\n${uptime}\n${commandLine}`);
  return {
    hostname: lines.text('hostname'),
    serial: lines.text('serial'),
    osId: os['ID'] ?? null,
    osVersion: os['VERSION_ID'] ?? null,
    osName: os['PRETTY_NAME'] ?? null,
    arch: lines.text('arch'),
    kernel: lines.text('kernel'),
    uid: lines.count('uid'),
    bootId: reading?.bootId ?? null,
    uptimeSeconds: reading?.uptimeSeconds ?? null,
    commandLine: reading?.commandLine ?? null,
    virtualisation: kvmModule(lines.text('cpu-flags') ?? '') !== null,
    iommuGroups: lines.all('iommu-group').filter((group) => /^\d+$/.test(group)).length,
    unsafeNoiommu: /^[Y1]/.test(lines.text('unsafe-noiommu') ?? ''),
  };
}

/** The files of a complete known-good copy; the manifest is written last. */
const KNOWN_GOOD_FILES = ['vmlinuz', 'initrd.img', 'stanza', 'cmdline', 'manifest'];

export function bootFacts(lines: FactLines, grubCfg: string | null): BootFacts {
  const environment = lines.printed('grubenv');
  const [mountFs, options] = (lines.printed('boot-mount')?.[0] ?? '').split(/\s+/);
  const secureBoot = lines.all('secure-boot').join(' ');
  const fstabExit = lines.exit('fstab');
  return {
    kernels: kernelSizes(lines.all('vmlinuz')),
    images: lines.all('initrd').flatMap(bootImage),
    bootTime: bootTime(lines.text('now') ?? '', lines.text('uptime') ?? ''),
    defaultKernel: grubCfg === null ? null : defaultKernel(grubCfg, environment ?? []),
    knownGood: KNOWN_GOOD_FILES.every((name) => lines.all('known-good').includes(name)),
    efi: lines.has('efi'),
    secureBoot: /SecureBoot enabled/.test(secureBoot) ? true : /SecureBoot disabled/.test(secureBoot) ? false : null,
    grubFs: lines.printed('grub-fs')?.[0] ?? null,
    grubAbstraction: lines.printed('grub-abstraction')?.join(' ') ?? null,
    mountFs: mountFs === undefined || mountFs === '' ? null : mountFs,
    mountOptions: options?.split(',') ?? [],
    grubenvBytes: lines.count('grubenv-bytes'),
    grubenv: environment === null ? null : Object.fromEntries(parseGrubEnvironment(environment.join('\n'))),
    settings: assignments(lines.all('grub-setting')),
    customCfg: customCfg(lines.text('custom-cfg')),
    customCfgRead: readsCustomCfg(grubCfg ?? ''),
    kexecLoaded: lines.count('kexec-loaded') === null ? null : lines.count('kexec-loaded') !== 0,
    nextroot: lines.has('nextroot'),
    rebootRequired: lines.has('reboot-required'),
    rebootRequiredBy: [...new Set(lines.all('reboot-required-by'))],
    fstab: fstabExit === null ? null : { ok: fstabExit === 0, text: lines.all('fstab').join('; ') },
  };
}

/** When the kernel started, seconds since 1970, rounded down; null when that can't be told. From `date +%s` and /proc/uptime. */
export function bootTime(now: string, uptime: string): number | null {
  const [seconds] = uptime.split(' ');
  if (!/^\d{1,12}$/.test(now.trim()) || !/^\d{1,12}(\.\d+)?$/.test(seconds ?? '')) return null;
  const started = Math.floor(Number(now) - Number(seconds));
  return started < 0 ? null : started;
}

function customCfg(text: string | null): BootFacts['customCfg'] {
  if (text === null) return 'absent';
  return text === 'ours' ? 'ours' : 'foreign';
}

function kernelSizes(lines: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    lines.flatMap((line) => {
      const match = /^(\S+) (\d{1,15})$/.exec(line);
      return match?.[1] === undefined ? [] : [[match[1], Number(match[2])]];
    }),
  );
}

function bootImage(line: string): readonly BootImage[] {
  const match = /^(\S+) (\d{1,15}) (\d{1,12})$/.exec(line);
  if (match?.[1] === undefined || /\.(new|bak|dpkg-bak|dpkg-new|old)$/.test(match[1])) return [];
  return [{ kernel: match[1], bytes: Number(match[2]), mtime: Number(match[3]) }];
}

function defaultKernel(grubCfg: string, environment: readonly string[]): string | null {
  const entry = defaultEntry(parseGrubConfig(grubCfg), parseGrubEnvironment(environment.join('\n')));
  return /vmlinuz-(\S+)$/.exec(entry?.linux ?? '')?.[1] ?? null;
}

export function initramfsFacts(lines: FactLines): InitramfsFacts {
  const owner = /^([^:,\s]+)(?:, [^:]*)?: /.exec(lines.printed('owner')?.at(-1) ?? '')?.[1];
  return {
    owner: owner ?? null,
    dracut: installed(lines, 'dracut'),
    updateInitramfs: assignments(lines.all('update-initramfs'))['update_initramfs'] ?? null,
    initTop: lines.all('init-top'),
    overrideWriters: lines.all('override-writer'),
  };
}

const installed = (lines: FactLines, key: string): boolean =>
  lines.exit(key) === 0 && (lines.text(key) ?? '').endsWith(' installed');

/** Locks that stand for work of apt or dpkg. */
const APT_LOCK = /\/var\/(lib\/dpkg\/lock(-frontend)?|lib\/apt\/lists\/lock|cache\/apt\/archives\/lock)$/;

export function systemFacts(lines: FactLines): SystemFacts {
  const clock = lines.printed('clock')?.[0];
  return {
    space: {
      '/boot': space(lines, '/boot'),
      '/var/lib': space(lines, '/var/lib'),
      '/var/tmp': space(lines, '/var/tmp'),
    },
    dpkgAudit: lines.printed('dpkg-audit'),
    lockHolders: lines.printed('locks')?.flatMap(lockHolder) ?? null,
    mollyGuard: installed(lines, 'molly-guard'),
    state: lines.exit('state') === null ? null : lines.text('state'),
    // Columns are WHO UID USER PID COMM WHAT WHY MODE; only WHAT and MODE come from a fixed set of words.
    inhibitors: lines.all('inhibitors').filter((line) => /\bshutdown\b/.test(line) && /\sblock\s*$/.test(line)),
    cloudInit:
      /^status: (.+)$/.exec(lines.all('cloud-init').find((line) => line.startsWith('status:')) ?? '')?.[1] ?? null,
    clockSynchronized: clock === undefined ? null : clock === 'yes',
    earlierBootSeconds: earlierBootSeconds(lines.all('boots').join('\n'), lines.all('reboots')),
    ourUnits: lines.all('our-units').map((line) => line.trim().split(/\s+/)[0] ?? ''),
  };
}

function space(lines: FactLines, dir: SpaceDir): SpaceFacts | null {
  const numbers = lines.printed(`space ${dir}`)?.at(-1)?.trim().split(/\s+/) ?? [];
  const [bytes, total, free] = numbers;
  if (bytes === undefined || !/^\d{1,15}$/.test(bytes)) return null;
  // btrfs has no fixed number of inodes and says 0 or -.
  const counted = total !== undefined && /^[1-9]\d*$/.test(total) && free !== undefined && /^\d{1,15}$/.test(free);
  return {
    bytes: Number(bytes),
    inodes: counted ? Number(free) : null,
    mountOptions: lines.printed(`mount ${dir}`)?.[0]?.split(',') ?? [],
  };
}

/** `COMMAND PID PATH` of lslocks. */
function lockHolder(line: string): readonly string[] {
  const match = /^(.*\S)\s+(\d+)\s+(\/.*)$/.exec(line.trim());
  return match !== null && APT_LOCK.test(match[3] ?? '') ? [`${match[1]} (pid ${match[2]})`] : [];
}
