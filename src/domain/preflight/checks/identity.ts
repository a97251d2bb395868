/** Is it the right machine, of the kind this system knows, and may we act on it. */
import { trialRunOf } from '../../boot/reboot.js';
import { bad, good, plural, type Check } from '../check.js';

const UBUNTU = '24.04';

export const IDENTITY_CHECKS: readonly Check[] = [
  {
    id: 'identity.serial',
    fails: 'block',
    evaluate: ({ identity, bmc }, spec) => {
      const evidence = { ssh: identity.serial, bmc: bmc.serial, inventory: spec.serial };
      if (identity.serial === null) return bad('the DMI serial cannot be read over SSH', evidence);
      if (identity.serial !== spec.serial)
        return bad(`the host at ${spec.ssh.host} has serial ${identity.serial}, not ${spec.serial}`, evidence);
      if (bmc.serial !== null && bmc.serial !== identity.serial)
        return bad(`the BMC belongs to serial ${bmc.serial}, the host is ${identity.serial}`, evidence);
      return good(`serial ${identity.serial}${bmc.serial === null ? '' : ' (SSH and BMC agree)'}`, evidence);
    },
    remedy: (_, spec) =>
      `correct address, bmc or serial of servers.${spec.name}: a power cycle must hit this machine only`,
  },
  {
    id: 'identity.hostname',
    fails: 'warn',
    evaluate: ({ identity }, spec) =>
      identity.hostname?.split('.')[0] === spec.name
        ? good(`hostname ${identity.hostname}`)
        : bad(`the host calls itself ${identity.hostname ?? 'nothing'}, the inventory ${spec.name}`),
    remedy: (_, spec) =>
      `the Node will have the host's own name; hostnamectl set-hostname ${spec.name} before k3s is there`,
  },
  {
    id: 'os.release',
    fails: 'block',
    evaluate: ({ identity }) =>
      identity.osId === 'ubuntu' && identity.osVersion === UBUNTU
        ? good(identity.osName ?? `Ubuntu ${UBUNTU}`)
        : bad(`${identity.osName ?? 'an unknown system'}, expected Ubuntu ${UBUNTU}`),
    remedy: 'install Ubuntu 24.04: hook order, GRUB and packages are proven there only',
  },
  {
    id: 'os.architecture',
    fails: 'block',
    evaluate: ({ identity }) =>
      identity.arch === 'x86_64' ? good('x86_64') : bad(`${identity.arch ?? 'unknown'}, expected x86_64`),
    remedy: 'only x86_64 hosts with GRUB are supported',
  },
  {
    id: 'access.root',
    fails: 'block',
    evaluate: ({ identity }) =>
      identity.uid === 0
        ? good('commands run as root')
        : bad(`commands run as uid ${identity.uid ?? 'unknown'}, not as root`),
    remedy: 'give the SSH user the sudo rule from the docs',
  },
  {
    id: 'boot.id',
    fails: 'block',
    evaluate: ({ identity }) =>
      identity.bootId === null
        ? bad('boot id, uptime or kernel command line cannot be read')
        : good(`boot ${identity.bootId}`, { uptimeSeconds: identity.uptimeSeconds }),
    remedy: 'without the boot id no reboot can be proven; look at /proc on the host',
  },
  {
    id: 'bmc.power',
    fails: ({ bmc }, spec) => (bmc.kind === 'none' && spec.boot.strategy === 'known-good' ? 'warn' : 'block'),
    evaluate: ({ bmc }) => {
      if (bmc.kind === 'none') return bad('no BMC: a host that hangs needs a person at the machine');
      if (bmc.problem !== null) return bad(`the BMC does not answer: ${bmc.problem}`);
      return bmc.power === 'on' ? good(`BMC (${bmc.kind}) answers, power on`) : bad(`the BMC says power ${bmc.power}`);
    },
    remedy: ({ bmc }, spec) =>
      bmc.kind === 'none'
        ? `give servers.${spec.name}.bmc an address and credentials`
        : `check address, network and credentials of servers.${spec.name}.bmc from the worker`,
  },
  {
    id: 'run.ledger',
    fails: ({ ledger, system }, spec) =>
      ledger.problem !== null || system.ourUnits.length > 0 || foreignName(ledger.server, spec.name) ? 'block' : 'warn',
    evaluate: ({ ledger, runId, system }, spec) => {
      const evidence = { holder: ledger.holder, state: ledger.state, server: ledger.server, at: ledger.at };
      if (ledger.problem !== null) return bad(ledger.problem, evidence);
      if (foreignName(ledger.server, spec.name))
        return bad(`this host was provisioned as ${ledger.server}, not as ${spec.name}`, evidence);
      if (ledger.holder === null || ledger.holder === runId)
        return good(ledger.state === 'committed' ? 'free; an earlier run is committed' : 'free', evidence);
      if (system.ourUnits.length > 0)
        return bad(
          `run ${ledger.holder} is still at work: ${plural(system.ourUnits.length, 'unit')}, ${system.ourUnits[0]}`,
          evidence,
        );
      return bad(`run ${ledger.holder} never gave the host back; this run takes it over`, evidence);
    },
    remedy: ({ ledger, system }) => {
      if (ledger.problem !== null) return 'look at /var/lib/gpu-provision on the host; do not delete it unread';
      return system.ourUnits.length > 0
        ? 'wait until its units have ended, then start again'
        : 'check that no other Temporal server runs it, else two runs would change one host';
    },
  },
  {
    // Until that run's commit the dead-man of its trial counts, and would reboot in the middle of packages.
    id: 'run.open-trial',
    fails: 'block',
    evaluate: ({ identity, ledger }) => {
      const run = trialRunOf(identity.commandLine ?? '');
      return run === null || ledger.state === 'committed'
        ? good('not in a trial boot that is still to be proven')
        : bad(`the host is in the trial boot of run ${run}, which did not end`);
    },
    remedy: (_, spec) =>
      `make sure that nobody works on that run, then: systemctl reboot. The default is the boot that worked; unless confirmed, the host goes there by itself within ${Math.ceil(spec.boot.deadManSeconds / 60)} min. Start again after that: what the run left is undone`,
  },
];

/** One host under two names has two workflow ids, and so two runs at once. */
const foreignName = (noted: string | null, name: string): boolean => noted !== null && noted !== name;
