/**
 * An IPMI BMC for a virtual machine: OpenIPMI's ipmi_sim, whose chassis is the machine's power and whose serial-over-LAN is its console.
 * @module
 */
import { runIpmiSim, type RunningIpmiSim } from '../../rack/bmc/ipmi-sim.js';
import { connectConsole } from './console-line.js';
import { FrontPanel, type PoweredMachine } from './front-panel.js';

export interface BmcIdentity {
  /** DMI serial of the machine. */
  readonly serial: string;
  readonly model: string;
  readonly credentials: { readonly user: string; readonly password: string };
}

export interface IpmiBmc {
  /** What the inventory says of it, but for the credentials. */
  readonly spec: { readonly kind: 'ipmi'; readonly host: '127.0.0.1'; readonly port: number; readonly cipherSuite: 3 };
  /** Leaves the machine as it is. */
  close(): Promise<void>;
}

/** The BMC answers when the promise resolves. It holds the machine's console, of which QEMU has one. */
export async function startIpmiBmc(machine: PoweredMachine, identity: BmcIdentity): Promise<IpmiBmc> {
  const panel = await FrontPanel.open(machine);
  const console = await connectConsole(machine.consolePort);
  const wires = async (): Promise<void> => {
    await console.close();
    await panel.close();
  };
  let sim: RunningIpmiSim;
  try {
    sim = await runIpmiSim({ ...identity, events: 0, chassis: chassis(panel.socket), consolePort: console.port });
  } catch (error) {
    await wires();
    throw error;
  }
  const { port, cipherSuite } = sim;
  return {
    spec: { kind: 'ipmi', host: '127.0.0.1', port, cipherSuite },
    async close() {
      await sim.close();
      await wires();
    },
  };
}

/** Seconds; ipmi_sim is deaf meanwhile. QEMU's monitor has ten. */
const PANEL_TIMEOUT_SECONDS = 12;

/**
 * Perl, since every Debian and Ubuntu has it and it starts in milliseconds, for each question anew. A power cycle is ipmi_sim's own:
 * power 0, and power 1 once it reads 0. What is not in the table is refused, never silently ignored.
 */
const chassis = (socket: string): string => `#!/usr/bin/perl
use strict;
use IO::Socket::UNIX;
my %words = ('get power' => 'status', 'set power 0' => 'off', 'set power 1' => 'on', 'set reset 1' => 'reset', 'set shutdown 1' => 'shutdown');
my ($mc, @asked) = @ARGV;
my $word = $words{"@asked"} or exit 1;
alarm ${PANEL_TIMEOUT_SECONDS};
my $panel = IO::Socket::UNIX->new('${socket}') or exit 1;
print $panel "$word\\n";
my $answer = <$panel> // '';
chomp $answer;
my %said = (accepted => '', on => 'power:1', off => 'power:0');
exit 1 unless exists $said{$answer};
print "$said{$answer}\\n";
`;
