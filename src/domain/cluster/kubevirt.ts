/**
 * GPUs as KubeVirt host devices. Two places say so: the Package value, which survives upgrades of the platform, and the live KubeVirt
 * object, which is what counts now.
 * @module
 */
import type { GpuSpec } from '../spec.js';
import { at, listAt, textAt, type KubeObject } from './objects.js';

export const KUBEVIRT_REF = {
  apiVersion: 'kubevirt.io/v1',
  kind: 'KubeVirt',
  namespace: 'cozy-kubevirt',
  name: 'kubevirt',
} as const;
export const KUBEVIRT_PACKAGE_REF = {
  apiVersion: 'cozystack.io/v1alpha1',
  kind: 'Package',
  name: 'cozystack.kubevirt',
} as const;

/** The GPU Operator in the host cluster. Its sandbox device plugin offers whatever is on vfio-pci, under a name of its own. */
export const HOST_GPU_OPERATOR_REF = {
  apiVersion: 'cozystack.io/v1alpha1',
  kind: 'Package',
  name: 'cozystack.gpu-operator',
} as const;

const DEVICES = ['permittedHostDevices', 'pciHostDevices'] as const;
const IN_PACKAGE = ['spec', 'components', 'kubevirt', 'values', ...DEVICES] as const;
const IN_KUBEVIRT = ['spec', 'configuration', ...DEVICES] as const;

/** One entry of `pciHostDevices`. No externalResourceProvider: KubeVirt's own device plugin offers them. */
export interface PciHostDevice {
  readonly pciVendorSelector: string;
  readonly resourceName: string;
}

/** `10de:2330` is `10DE:2330` to KubeVirt. */
export function wantedDevice(gpus: GpuSpec): PciHostDevice {
  return { pciVendorSelector: gpus.id.toUpperCase(), resourceName: gpus.resource };
}

export const devicesOfPackage = (object: KubeObject): readonly unknown[] => listAt(object, ...IN_PACKAGE);
export const devicesOfKubevirt = (object: KubeObject): readonly unknown[] => listAt(object, ...IN_KUBEVIRT);

const selectorOf = (device: unknown): string => (textAt(device, 'pciVendorSelector') ?? '').toUpperCase();
const isWanted = (device: unknown, wanted: PciHostDevice): boolean =>
  selectorOf(device) === wanted.pciVendorSelector &&
  textAt(device, 'resourceName') === wanted.resourceName &&
  at(device, 'externalResourceProvider') !== true;

export const permits = (devices: readonly unknown[], wanted: PciHostDevice): boolean =>
  devices.some((device) => isWanted(device, wanted));

/**
 * An entry that stands in the way: the same GPUs under another name or from another plugin. KubeVirt resolves a doubled selector at
 * random, so this is never added to.
 */
export function deviceConflict(devices: readonly unknown[], wanted: PciHostDevice): string | null {
  const other = devices.find((device) => selectorOf(device) === wanted.pciVendorSelector && !isWanted(device, wanted));
  if (other === undefined) return null;
  const provider = at(other, 'externalResourceProvider') === true ? ' by another device plugin' : '';
  return `${wanted.pciVendorSelector} is permitted as ${textAt(other, 'resourceName') ?? 'something without a name'}${provider} already, wanted ${wanted.resourceName}`;
}

/** The whole list with our entry: a merge patch replaces lists. */
export const withDevice = (devices: readonly unknown[], wanted: PciHostDevice): readonly unknown[] =>
  permits(devices, wanted) ? devices : [...devices, wanted];

export const withoutDevice = (devices: readonly unknown[], wanted: PciHostDevice): readonly unknown[] =>
  devices.filter((device) => !isWanted(device, wanted));

/**
 * Merge patches that set the list in the object. An emptied list is taken away, since an empty one means that nothing is permitted, and with
 * it what holds nothing else: our entry came with all of that.
 */
export const packagePatch = (object: KubeObject, devices: readonly unknown[]): object =>
  nest(IN_PACKAGE, object, devices);
export const kubevirtPatch = (object: KubeObject, devices: readonly unknown[]): object =>
  nest(IN_KUBEVIRT, object, devices);

const within = (path: readonly string[], value: unknown): object =>
  path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;

function nest(path: readonly string[], object: KubeObject, devices: readonly unknown[]): object {
  if (devices.length > 0) return within(path, devices);
  let depth = path.length - 1;
  while (depth > 2 && Object.keys(at(object, ...path.slice(0, depth - 1)) ?? {}).length === 1) depth -= 1;
  return within(path.slice(0, depth), null);
}

/** virt-handler's pods on a node. */
export const VIRT_HANDLER_LABEL = 'kubevirt.io=virt-handler';

/** The plugin finds devices when it starts; after this long a wrong number does not become right by itself. */
export const VIRT_HANDLER_PATIENCE_MS = 120_000;
/** A third restart has never helped where two did not. */
export const VIRT_HANDLER_RESTARTS = 2;

/**
 * Whether replacing virt-handler may help: its device plugin keeps offering nothing after a restart of the kubelet (kubevirt#16602).
 * `pod` is the one on the node, `restarts` how often this run has replaced it.
 */
export function virtHandlerIsStuck(pod: KubeObject, restarts: number, nowMs: number): boolean {
  const started = Date.parse(textAt(pod, 'status', 'startTime') ?? '');
  return restarts < VIRT_HANDLER_RESTARTS && !Number.isNaN(started) && nowMs - started >= VIRT_HANDLER_PATIENCE_MS;
}
