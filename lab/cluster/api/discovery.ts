/**
 * Which groups, versions and resources there are, as clients ask for it.
 * @module
 */
import { apiVersionOf } from './kinds.js';
import type { ObjectStore } from './store.js';

/** null when the path is no discovery path. */
export function discovery(store: ObjectStore, root: 'api' | 'apis', rest: readonly string[]): unknown {
  const kinds = store.kinds();
  if (root === 'api' && rest.length === 0) return { kind: 'APIVersions', versions: ['v1'] };
  const groups = [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== '');
  const describe = (group: string): object => {
    const versions = [...new Set(kinds.filter((kind) => kind.group === group).map((kind) => kind.version))].map(
      (version) => ({ groupVersion: `${group}/${version}`, version }),
    );
    return { name: group, versions, preferredVersion: versions[0] };
  };
  if (root === 'apis' && rest.length === 0)
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(describe) };
  const [group = '', version] = root === 'api' ? ['', ...rest] : rest;
  if (root === 'apis' && rest.length === 1 && groups.includes(group))
    return { kind: 'APIGroup', apiVersion: 'v1', ...describe(group) };
  if (rest.length !== (root === 'api' ? 1 : 2)) return null;
  const here = kinds.filter((kind) => kind.group === group && kind.version === version);
  if (here.length === 0) return null;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version: version ?? '' }),
    resources: here.map((kind) => ({
      name: kind.plural,
      singularName: kind.kind.toLowerCase(),
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    })),
  };
}
