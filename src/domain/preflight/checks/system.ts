/** Space, packages, services, and how long a reboot takes here. */
import type { ServerSpec } from '../../spec.js';
import { bad, good, listed, plural, type Check, type Finding } from '../check.js';
import type { HostFacts, SpaceDir } from '../facts.js';
import { runningImage } from './kernel.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** Ledger, packages, k3s and the images of the platform until it has storage of its own. */
const VAR_LIB_BYTES = 20 * GIB;
/** An unpacked boot image with drivers and firmware, while it is built and while it is inspected. */
const VAR_TMP_BYTES = 2 * GIB;
const FREE_INODES = 10_000;
/** /boot is often small and holds few files. */
const FREE_BOOT_INODES = 100;
/** The known-good copy, the image beside which the next is built, and as much again because images grow by the new modules. */
const BOOT_COPIES = 3;
/** A boot may take half as long again as the longest one before. */
const BOOT_MARGIN = 1.5;

/** What the space that images take is judged by. */
type SizeFacts = Pick<HostFacts, 'identity' | 'boot' | 'system'>;

const SIZES: readonly { readonly dir: SpaceDir; readonly id: string; readonly need: (facts: SizeFacts) => number }[] = [
  {
    dir: '/boot',
    id: 'space.boot',
    need: (facts) => BOOT_COPIES * (runningImage(facts).initrd + runningImage(facts).kernel),
  },
  { dir: '/var/lib', id: 'space.var-lib', need: () => VAR_LIB_BYTES },
  { dir: '/var/tmp', id: 'space.var-tmp', need: () => VAR_TMP_BYTES },
];

const size = (bytes: number): string =>
  bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.ceil(bytes / MIB)} MiB`;

function spaceFinding({ dir, need }: (typeof SIZES)[number], facts: SizeFacts): Finding {
  const found = facts.system.space[dir];
  if (found === null) return bad(`the space in ${dir} cannot be read`);
  const wanted = need(facts);
  const evidence = { bytes: found.bytes, inodes: found.inodes };
  if (found.bytes < wanted) return bad(`${dir} has ${size(found.bytes)} free, needed are ${size(wanted)}`, evidence);
  if (found.inodes !== null && found.inodes < (dir === '/boot' ? FREE_BOOT_INODES : FREE_INODES))
    return bad(`${dir} has only ${found.inodes} inodes free`, evidence);
  // mkinitramfs runs scripts from there.
  if (dir === '/var/tmp' && found.mountOptions.includes('noexec')) return bad(`${dir} is mounted noexec`, evidence);
  return good(`${dir} has ${size(found.bytes)} free`, evidence);
}

const spaceChecks = SIZES.map((row): Check => ({
  id: row.id,
  fails: 'block',
  evaluate: (facts) => spaceFinding(row, facts),
  remedy:
    row.dir === '/boot'
      ? 'apt-get autoremove --purge removes old kernels'
      : `free space in ${row.dir}, or mount a larger file system there`,
}));

/** Where one more image is built, and kept. Empty where it fits. */
export const noRoomForAnImage = (facts: SizeFacts): readonly string[] =>
  SIZES.filter(({ dir }) => dir !== '/var/lib')
    .map((row) => spaceFinding(row, facts))
    .flatMap(({ ok, text }) => (ok ? [] : [text]));

const none = (
  items: readonly string[] | null,
  unknown: string,
  ok: string,
  problem: (shown: string) => string,
): Finding => {
  if (items === null) return bad(unknown);
  return items.length === 0 ? good(ok) : bad(problem(listed(items)));
};

export const SYSTEM_CHECKS: readonly Check[] = [
  ...spaceChecks,
  {
    id: 'packages.audit',
    fails: 'block',
    evaluate: ({ system }) =>
      none(
        system.dpkgAudit,
        'dpkg --audit failed',
        'no package is half installed',
        (shown) => `half installed: ${shown}`,
      ),
    remedy: 'dpkg --configure -a, then apt-get -f install',
  },
  {
    id: 'packages.lock',
    fails: 'block',
    evaluate: ({ system }) =>
      none(
        system.lockHolders,
        'locks cannot be listed (lslocks)',
        'nobody installs packages',
        (shown) => `apt or dpkg is at work: ${shown}`,
      ),
    remedy: 'wait until it has finished and start again',
  },
  {
    id: 'system.state',
    fails: 'block',
    evaluate: ({ system }) =>
      system.state === 'running' || system.state === 'degraded'
        ? good(`systemd says ${system.state}`)
        : bad(`systemd says ${system.state ?? 'nothing'}, expected running or degraded`),
    remedy: 'look at systemctl list-jobs: a host that is still starting or in maintenance is not a basis',
  },
  {
    id: 'system.failed-units',
    fails: 'warn',
    evaluate: ({ failedUnits }) =>
      failedUnits.length === 0
        ? good('no unit failed')
        : bad(`${plural(failedUnits.length, 'unit')} failed: ${listed(failedUnits)}`),
    remedy: 'they are not held against the new boot; better repair them first',
  },
  {
    id: 'system.stuck-processes',
    fails: 'block',
    forReboot: true,
    evaluate: ({ stuckProcesses }) =>
      stuckProcesses.length === 0
        ? good('no process is stuck in the kernel')
        : bad(`in uninterruptible sleep: ${listed(stuckProcesses)}`),
    remedy: 'they can hang the shutdown; find out what they wait for',
  },
  {
    id: 'system.inhibitors',
    fails: 'block',
    forReboot: true,
    evaluate: ({ system }) =>
      none(system.inhibitors, '', 'nobody blocks a shutdown', (shown) => `blocks a shutdown: ${shown}`),
    remedy: 'systemd-inhibit --list says who: let it finish, since a reboot of ours would not wait for it',
  },
  {
    id: 'system.molly-guard',
    fails: 'warn',
    evaluate: ({ system }) => (system.mollyGuard ? bad('molly-guard is installed') : good('no molly-guard')),
    remedy: 'it asks before a reboot where nobody answers; this system reboots through systemctl, which it may wrap',
  },
  {
    id: 'system.cloud-init',
    fails: ({ system }) => (/^(error|degraded)/.test(system.cloudInit ?? '') ? 'warn' : 'block'),
    evaluate: ({ system }) =>
      system.cloudInit === null || /^(done|disabled)/.test(system.cloudInit)
        ? good(`cloud-init: ${system.cloudInit ?? 'not installed'}`)
        : bad(`cloud-init: ${system.cloudInit}`),
    remedy: 'wait until cloud-init status says done; one that runs again makes new SSH host keys',
  },
  {
    id: 'system.clock',
    fails: 'warn',
    evaluate: ({ system }) =>
      system.clockSynchronized === true ? good('the clock is synchronised') : bad('the clock is not synchronised'),
    remedy: 'timedatectl set-ntp true; certificates and etcd need the right time',
  },
  {
    id: 'boot.post',
    fails: 'warn',
    forReboot: true,
    evaluate: ({ system }, spec) => bootDuration(system.earlierBootSeconds, spec),
    remedy: (_, spec) =>
      `set servers.${spec.name}.boot.ladder.wait higher, else the alarm comes while the host is still booting`,
  },
];

const minutes = (seconds: number): string => String(Math.max(1, Math.round(seconds / 60)));

function bootDuration(earlier: readonly number[], spec: ServerSpec): Finding {
  const alarm = `reboot alarm set to ${minutes(spec.boot.ladder.waitSeconds)} min`;
  if (earlier.length === 0) return good(`no earlier boot in the journal; ${alarm}`);
  const took = earlier.slice(0, 3).map(minutes);
  const last = took.pop() ?? '';
  const text = `${plural(took.length + 1, 'earlier boot')} took ${took.length === 0 ? last : `${took.join(', ')} and ${last}`} min; ${alarm}`;
  return Math.max(...earlier) * BOOT_MARGIN > spec.boot.ladder.waitSeconds ? bad(text) : good(text);
}
