/**
 * The example inventory, with a simulated server in the place of the first one and all files it names.
 * @module
 */
import { startRack, type Rack, type SimulatedHost, type SimulatedHostOptions } from '../../lab/rack/index.js';
import { ExampleSite, withBmc } from '../../src/inventory/example-site.js';

export interface RackSite {
  readonly rack: Rack;
  readonly host: SimulatedHost;
  readonly site: ExampleSite;
  close(): Promise<void>;
}

export interface RackSiteOptions {
  readonly host?: Partial<SimulatedHostOptions>;
  /** `none`, or a map as YAML has it in one line. */
  readonly bmc?: string;
}

/** `h100-01`, up and reached over SSH. */
export async function startRackSite(options: RackSiteOptions = {}): Promise<RackSite> {
  const rack = await startRack({ hosts: [{ nodeIP: '10.0.0.11', ...options.host, name: 'h100-01' }] });
  const host = rack.host('h100-01');
  const site = new ExampleSite();
  site.put('secrets/id_ed25519', rack.clientKey);
  site.put('secrets/k3s-token', 'token\n');
  site.put('known_hosts', `${rack.knownHosts}\n`);
  site.put(
    'inventory.yaml',
    withBmc(
      options.bmc ?? 'none',
      ['    address: 192.0.2.11 # SSH\n', `    address: ${host.ssh.host}\n    ssh: { port: ${host.ssh.port} }\n`],
      ['serial: 5XKQ1P3', `serial: ${host.serial}`],
    ),
  );
  return {
    rack,
    host,
    site,
    close: async () => {
      await rack.close();
      site.remove();
    },
  };
}
