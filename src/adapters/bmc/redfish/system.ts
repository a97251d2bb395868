/**
 * Finds the host among the systems of a BMC. GPU servers list several (the host and its HGX baseboard), in any order and under
 * any name, so position and name say nothing: the serial does.
 * @module
 */
import { bmcUnavailable } from '../failure.js';
import type { RedfishApi } from './api.js';
import { ActionInfo, Collection, ComputerSystem } from './schema.js';

/** More members or pages than any BMC has; a nextLink that points back must not loop for ever. */
const MAX_PAGES = 20;

export async function listSystems(api: RedfishApi, signal?: AbortSignal): Promise<readonly ComputerSystem[]> {
  const systems: ComputerSystem[] = [];
  let next: string | null | undefined = api.root.Systems['@odata.id'];
  for (let page = 0; next && page < MAX_PAGES; page++) {
    const collection: Collection = await api.get(next, Collection, signal);
    for (const member of collection.Members) systems.push(await api.get(member['@odata.id'], ComputerSystem, signal));
    next = collection['Members@odata.nextLink'];
  }
  return systems;
}

const isResettable = (system: ComputerSystem): boolean => Boolean(system.Actions?.['#ComputerSystem.Reset']);

/** Serials under which a system may be known, the one that DMI shows on most servers first. */
export function serialsOf(system: ComputerSystem): readonly string[] {
  return [system.SerialNumber, system.SKU].map((serial) => serial?.trim() ?? '').filter(Boolean);
}

export function systemWithSerial(systems: readonly ComputerSystem[], serial: string): ComputerSystem | null {
  return systems.find((system) => isResettable(system) && serialsOf(system).includes(serial)) ?? null;
}

/** For telling what a BMC is, where no system has the serial: the only one that can be reset. */
export function onlyResettable(systems: readonly ComputerSystem[]): ComputerSystem | null {
  const [first, ...others] = systems.filter(isResettable);
  return others.length === 0 ? (first ?? null) : null;
}

/** The host, or an error that names every system there is. */
export async function findHost(
  api: RedfishApi,
  { serial, where, signal }: { serial: string; where: string; signal?: AbortSignal | undefined },
): Promise<ComputerSystem> {
  const systems = await listSystems(api, signal);
  const host = systemWithSerial(systems, serial);
  if (host) return host;
  const seen = systems.map(
    (system) => `${system['@odata.id']} (serial ${serialsOf(system).join(' or ') || 'unknown'})`,
  );
  throw bmcUnavailable(
    where,
    'looking for the host among the systems',
    `none that can be reset has the serial ${serial} of the inventory; there is ${seen.join(', ') || 'none at all'}`,
  );
}

export interface ResetAction {
  readonly target: string;
  /** null when the BMC does not say: then every type may be tried. */
  readonly types: readonly string[] | null;
}

/** Allowed types are inline or in a resource of their own; either may be the only one. */
export async function resetActionOf(
  api: RedfishApi,
  system: ComputerSystem,
  signal?: AbortSignal,
): Promise<ResetAction> {
  const action = system.Actions?.['#ComputerSystem.Reset'];
  if (!action) throw new TypeError(`${system['@odata.id']} cannot be reset`);
  const inline = action['ResetType@Redfish.AllowableValues'];
  if (inline) return { target: action.target, types: inline };
  const infoPath = action['@Redfish.ActionInfo'];
  if (!infoPath) return { target: action.target, types: null };
  const info = await api.get(infoPath, ActionInfo, signal);
  const types = info.Parameters.find((parameter) => parameter.Name === 'ResetType')?.AllowableValues;
  return { target: action.target, types: types ?? null };
}
