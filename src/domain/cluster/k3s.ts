/**
 * k3s as Cozystack needs it: its configuration, its unit, where its releases are, and whether one that is there already will do.
 * @module
 */
import type { ServerSpec } from '../spec.js';
import { K3S_BINARY_PATH, K3S_TOKEN_PATH } from './k3s-layout.js';

export type K3sConfig = Readonly<Record<string, string | boolean | readonly string[]>>;

/** k3s's defaults; the platform Package is told the same. */
export const POD_CIDR = '10.42.0.0/16';
export const POD_GATEWAY = '10.42.0.1';
export const SERVICE_CIDR = '10.43.0.0/16';
/** Cozystack's own services are configured for this domain. */
const CLUSTER_DOMAIN = 'cozy.local';
/** The platform and its tenants on one node exceed the kubelet's 110. */
const MAX_PODS = 220;

/** Everything k3s brings that Cozystack brings itself is off: ingress, load balancer, storage, metrics, CNI, network policy, kube-proxy. */
export function k3sConfig(spec: ServerSpec): K3sConfig {
  return {
    'node-ip': spec.nodeIP,
    'tls-san': [spec.nodeIP],
    'cluster-cidr': POD_CIDR,
    'service-cidr': SERVICE_CIDR,
    'cluster-domain': CLUSTER_DOMAIN,
    disable: ['traefik', 'servicelb', 'local-storage', 'metrics-server'],
    'disable-network-policy': true,
    'disable-kube-proxy': true,
    'flannel-backend': 'none',
    'kubelet-arg': [`max-pods=${MAX_PODS}`],
    ...(spec.cluster.k3s.token === null ? {} : { 'token-file': K3S_TOKEN_PATH }),
  };
}

/** The configuration file: YAML of strings, booleans and lists of strings. */
export function renderK3sConfig(config: K3sConfig): string {
  const lines = Object.entries(config).flatMap(([key, value]) =>
    Array.isArray(value)
      ? [`${key}:`, ...value.map((item) => `  - ${JSON.stringify(item)}`)]
      : [`${key}: ${JSON.stringify(value)}`],
  );
  return `# Written by gpu-provision.\n${lines.join('\n')}\n`;
}

/** As the k3s installer writes it for a server without flags: they are all in the configuration file. */
export const K3S_UNIT_TEXT = `# Written by gpu-provision, as the k3s installer would.
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=${K3S_BINARY_PATH} server
`;

const RELEASES = 'https://github.com/k3s-io/k3s/releases/download';

/** Release files by `uname -m`. */
const ASSETS: Readonly<Record<string, { readonly binary: string; readonly sums: string }>> = {
  x86_64: { binary: 'k3s', sums: 'sha256sum-amd64.txt' },
  aarch64: { binary: 'k3s-arm64', sums: 'sha256sum-arm64.txt' },
};

export interface K3sRelease {
  readonly binaryUrl: string;
  readonly sumsUrl: string;
  /** The binary's name in the list of hashes. */
  readonly asset: string;
}

/** null for a machine that k3s isn't built for. A mirror has the layout of the public place: `VERSION/FILE`. */
export function k3sRelease(version: string, machine: string, mirror: string | null): K3sRelease | null {
  const assets = ASSETS[machine];
  if (assets === undefined) return null;
  // The + of v1.35.3+k3s1 would mean a blank.
  const base = `${(mirror ?? RELEASES).replace(/\/+$/, '')}/${encodeURIComponent(version)}`;
  return { binaryUrl: `${base}/${assets.binary}`, sumsUrl: `${base}/${assets.sums}`, asset: assets.binary };
}

/** A file's SHA-256 in a list of lines `HASH  NAME`; null when it isn't named. */
export function hashOf(sums: string, asset: string): string | null {
  const words = sums.split('\n').map((line) => line.trim().split(/\s+/));
  return words.find(([, name]) => name === asset)?.[0] ?? null;
}

/** `v1.35.3+k3s1` of `k3s version v1.35.3+k3s1 (1a2b3c)`; null when it is something else. */
export function parseK3sVersion(output: string): string | null {
  return /^k3s version (v\S{1,60})(?:\s|$)/m.exec(output)?.[1] ?? null;
}

export interface FoundK3s {
  /** Output of `k3s --version`; null without a binary. */
  readonly version: string | null;
  /** The configuration file, parsed; null without one. */
  readonly config: unknown;
  /** Text of the service's unit; null without one. */
  readonly unit: string | null;
  /** Whether a data directory with a server's state is there. */
  readonly hasState: boolean;
}

/**
 * Why a k3s that is there already cannot be taken over, one line each; empty when nothing is there or all that is there is as wanted.
 * Its flags may be in the unit instead of the file: the installer script puts them there.
 */
export function k3sConflicts(spec: ServerSpec, found: FoundK3s): readonly string[] {
  const { version, unit, hasState } = found;
  if (version === null && unit === null)
    return hasState ? ['/var/lib/rancher/k3s/server holds the state of a k3s that is not installed any more'] : [];
  const conflicts: string[] = [];
  if (version !== null && version !== spec.cluster.k3s.version)
    conflicts.push(`k3s ${version} is installed, the inventory wants ${spec.cluster.k3s.version}`);
  // Without a unit nothing has been started with the configuration yet.
  if (unit === null) return conflicts;
  const settings = { ...defaults(spec), ...asMap(found.config), ...flagsOf(unit) };
  for (const [key, wanted] of Object.entries(k3sConfig(spec))) {
    // A server that runs has its token; only joining nodes compare it.
    if (key === 'token-file') continue;
    if (!sameSetting(wanted, settings[key]))
      conflicts.push(`k3s has ${key} ${show(settings[key])}, wanted ${show(wanted)}`);
  }
  return conflicts;
}

/** What k3s does when nothing is said. Its own choice of address is checked on the Node object. */
const defaults = (spec: ServerSpec): K3sConfig => ({
  'node-ip': spec.nodeIP,
  'cluster-cidr': POD_CIDR,
  'service-cidr': SERVICE_CIDR,
});
const asMap = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
const show = (value: unknown): string => (value === undefined ? 'not set' : JSON.stringify(value));
const asList = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : value === undefined ? [] : [value])
    // Not String: of an object it calls what the host's file has under toString.
    .map((item) => (typeof item === 'string' ? item : JSON.stringify(item)))
    .toSorted();

/** Lists are sets here, and one value may be written without a list. More than wanted is fine for lists of things to switch off or to add. */
function sameSetting(wanted: K3sConfig[string], found: unknown): boolean {
  const have = asList(found);
  return asList(wanted).every((item) => have.includes(item)) && (Array.isArray(wanted) || have.length === 1);
}

/** `--disable=traefik '--tls-san=1.2.3.4' --disable-kube-proxy` of ExecStart, over several lines. */
function flagsOf(unit: string): Readonly<Record<string, unknown>> {
  const command = /^ExecStart=((?:.*\\\n)*.*)$/m.exec(unit)?.[1] ?? '';
  const flags = new Map<string, string[]>();
  for (const word of command.split(/[\s\\]+/)) {
    const match = /^'?--([a-z0-9-]+)(?:=(.*?))?'?$/.exec(word);
    if (match === null) continue;
    const [, name = '', value = 'true'] = match;
    const values = flags.get(name);
    if (values === undefined) flags.set(name, [value]);
    else values.push(value);
  }
  return Object.fromEntries(flags);
}
