/**
 * Mirrors of container registries: k3s reads them for the host in its own format; the platform gives them to nested nodes in another one.
 * @module
 */
import { listAt } from './objects.js';

/** Addresses of mirrors, `https://mirror.example:5000`, by the registry's host. */
export type RegistryMirrors = Readonly<Record<string, readonly string[]>>;

/**
 * Of a k3s registries.yaml, parsed. `*` stands for every one of `hosts`. Credentials and certificates stay in that file: objects in the
 * cluster can be read by others.
 */
export function registryMirrors(registries: unknown, hosts: readonly string[]): RegistryMirrors {
  const mirrors =
    typeof registries === 'object' && registries !== null ? Reflect.get(registries, 'mirrors') : undefined;
  if (typeof mirrors !== 'object' || mirrors === null) return {};
  const addresses = (host: string): readonly string[] =>
    listAt(mirrors, host, 'endpoint')
      .filter((entry) => typeof entry === 'string')
      .filter((entry) => URL.canParse(entry));
  const named = Object.keys(mirrors).filter((host) => host !== '*');
  return Object.fromEntries(
    [...new Set([...named, ...(addresses('*').length > 0 ? hosts : [])])].toSorted().flatMap((host) => {
      const all = [...addresses(host), ...(named.includes(host) ? [] : addresses('*'))];
      return all.length === 0 ? [] : [[host, all]];
    }),
  );
}

/** As the platform's values have them; from there a Secret carries them to the nodes of nested clusters. */
export function platformRegistries(mirrors: RegistryMirrors): { readonly registries?: object } {
  const entries = Object.entries(mirrors);
  if (entries.length === 0) return {};
  return {
    registries: { mirrors: Object.fromEntries(entries.map(([host, urls]) => [host, { endpoints: [...urls] }])) },
  };
}
