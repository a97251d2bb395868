/**
 * How the simulated host and the simulated cluster meet: the host's k3s service starts a cluster API and stops it.
 * @module
 */

export interface HostDevice {
  /** `0000:0a:00.0` */
  readonly address: string;
  /** `10de:2330` */
  readonly id: string;
  readonly driver: string | null;
  readonly iommuGroup: number | null;
}

export interface ClusterApiOptions {
  readonly nodeName: string;
  readonly nodeIP: string;
  /** As `k3s --version` says: `v1.35.3+k3s1`. */
  readonly version: string;
  /** The host's PCI devices now; KubeVirt's device plugin looks at them. */
  readonly devices: () => readonly HostDevice[];
  /** Where objects are kept over reboots; one cluster at a time uses it. */
  readonly folder: string;
  /** Rules that make the cluster misbehave; none by default. */
  readonly faults?: readonly ClusterFault[];
  /** Awaited before the controllers look again after a change; by default some milliseconds, so that clients see the stages. */
  readonly pace?: Pace;
}

/** Rejects when the cluster is stopped. */
export type Pace = (stopped: AbortSignal) => Promise<unknown>;

/** One rule: what goes wrong, at which object, how often. */
export interface ClusterFault {
  readonly effect: ClusterFaultEffect;
  /** Which object (`namespace/name` or name); every one when left out. */
  readonly subject?: string;
  /** How often before it heals by itself; without limit when left out. */
  readonly times?: number;
  /** For effects that set a number. */
  readonly value?: number;
}

export type ClusterFaultEffect =
  /** HelmRelease `namespace/name` fails for ever. */
  | 'release-never-ready'
  /** It fails `times` times, then installs: what Flux's retries are for. */
  | 'release-fails-first'
  /** kubevirt#16602: the Node (subject) offers nothing after a restart of k3s, until virt-handler's pod is another one. */
  | 'allocatable-lost-after-restart'
  /** The device plugin offers `value` of the resource (subject), whatever the host has. */
  | 'allocatable-is'
  /** VirtualMachineInstance `namespace/name` stays in Scheduling. */
  | 'vm-never-starts'
  /** The nested Node's driver never comes up. */
  | 'nested-node-without-gpus'
  /** The driver builds longer than the chart's 10 min, so Helm uninstalls and starts over unless its timeout was raised. */
  | 'slow-driver-build'
  /** The GPU job ends with CUDA error 802. */
  | 'gpu-job-fails-802'
  /** The job's first GPU copies at half the speed it should. */
  | 'gpu-job-slow';

export interface ClusterApi {
  /** TCP port on 127.0.0.1, TLS. */
  readonly port: number;
  /** What k3s writes to /etc/rancher/k3s/k3s.yaml: server https://127.0.0.1:6443, CA and client credentials. */
  readonly kubeconfig: string;
  /**
   * The port on 127.0.0.1 behind an address that exists only inside the cluster (the ClusterIP of a nested cluster's Service, on
   * its port), or null. A host with a CNI reaches such an address; openStream to it must too.
   */
  portBehind(address: string, port: number): number | null;
  close(): Promise<void>;
}
