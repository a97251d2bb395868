/**
 * One server as the inventory describes it, resolved: defaults applied, units in the names, secrets as references.
 * This is what a run is started with, so that it never depends on a file that changes under it.
 * @module
 */

import type { SecretRef } from './secret-ref.js';

export type { SecretRef };

/** A PCI address in full form, lower case: `0000:0a:00.0`. */
export type PciAddress = string;

export type BmcSpec =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'ipmi';
      readonly host: string;
      readonly port: number;
      readonly cipherSuite: number;
      readonly credentials: SecretRef;
    }
  | {
      readonly kind: 'redfish';
      /** Base URL, e.g. `https://192.0.2.111`. */
      readonly url: string;
      /** SHA-256 of the BMC's certificate (`sha256:` and 64 hex digits, no colons); null trusts the system's CAs. */
      readonly tlsFingerprint: string | null;
      /** A secret of the form `user:password`. */
      readonly credentials: SecretRef;
    };

/** Where to log in, as whom, and whom to expect there. */
export interface SshLogin {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Private key; null means the agent at SSH_AUTH_SOCK of the worker. */
  readonly key: SecretRef | null;
  /** Absolute path of the known_hosts file on the worker. */
  readonly knownHosts: string;
}

export interface SshSpec extends SshLogin {
  /** A host that reaches the server where the worker does not: logged in to first, then connected through. Left out, there is none. */
  readonly bastion?: SshLogin;
}

export interface BootSpec {
  readonly strategy: 'known-good' | 'direct';
  /** After this long in a trial boot without confirmation the host reboots by itself. */
  readonly deadManSeconds: number;
  readonly approvalExpiresSeconds: number;
  readonly approvalReminderSeconds: number;
  /** Between the two readings of the truth table. */
  readonly settleSeconds: number;
  /** For all of the proof of a trial boot but settling: the truth table twice, and k3s back. */
  readonly verifySeconds: number;
  /** The patience of each rung of the escalation ladder. */
  readonly ladder: LadderSpec;
}

/** Seconds each rung waits for the host before the next rung is taken. */
export interface LadderSpec {
  /** From the reboot request to the alarm: the longest normal boot with a margin. */
  readonly waitSeconds: number;
  readonly lookSeconds: number;
  readonly gracefulSeconds: number;
  readonly powerCycleSeconds: number;
}

export interface GpuSpec {
  /** PCI vendor and device, lower case: `10de:2330`. */
  readonly id: string;
  readonly addresses: readonly PciAddress[];
  /** Extended resource name KubeVirt offers: `nvidia.com/H100_SXM5_80GB`. */
  readonly resource: string;
  readonly nvswitch: 'none';
}

export interface NestedSpec {
  readonly name: string;
  readonly tenant: string;
  readonly nodes: number;
  readonly cpu: number;
  readonly memory: string;
  readonly disk: string;
  readonly gpusPerNode: number;
}

export interface StorageSpec {
  /** Name of LINSTOR's storage pool, and of the zpool or volume group behind it. */
  readonly pool: string;
  readonly backend: 'zfs' | 'lvm';
}

/** What phase 8 proves: GPUs of the nested clusters, or all of the server, the others in a temporary cluster. */
export type AcceptanceMode = 'nested' | 'all';

export interface ClusterSpec {
  readonly name: string;
  readonly k3s: { readonly version: string; readonly token: SecretRef | null };
  readonly cozystack: { readonly version: string; readonly host: string; readonly externalIPs: readonly string[] };
  readonly storage: StorageSpec;
  readonly nested: readonly NestedSpec[];
  readonly acceptance: AcceptanceMode;
}

/** Where the site's own copies are; null means the public place. */
export interface MirrorsSpec {
  readonly apt: string | null;
  readonly k3s: string | null;
  /** `oci://…`, below which Cozystack's charts are. */
  readonly charts: string | null;
  /** Absolute path of a k3s registries.yaml on the worker. */
  readonly registries: string | null;
}

/** Where people are told. URLs are secrets: who has one may write there. */
export type NotifySpec =
  | { readonly kind: 'slack'; readonly url: SecretRef }
  /** `secret` signs what is sent. */
  | { readonly kind: 'webhook'; readonly url: SecretRef; readonly secret: SecretRef };

export interface ServerSpec {
  readonly name: string;
  readonly site: string;
  readonly role: 'server';
  /** Address of the node in the cluster network. */
  readonly nodeIP: string;
  /** DMI system serial, compared over SSH and BMC. */
  readonly serial: string;
  readonly ssh: SshSpec;
  readonly bmc: BmcSpec;
  readonly gpus: GpuSpec;
  readonly boot: BootSpec;
  readonly workloads: 'refuse' | 'stop';
  readonly cluster: ClusterSpec;
  readonly mirrors: MirrorsSpec;
  /** Disks for storage, by id; empty when a pool that is there already is used. */
  readonly disks: readonly string[];
  /** Left out, nobody is told. */
  readonly notify?: readonly NotifySpec[];
}

/** All that it takes to log in to a server. */
export type ServerLogin = Pick<ServerSpec, 'name' | 'ssh'>;
