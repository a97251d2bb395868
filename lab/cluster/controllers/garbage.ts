/**
 * What goes away with what: emptied namespaces, foreground deletion, and objects whose owners are gone.
 * @module
 */
import type { ApiObject } from '../api/object.js';
import type { Controller, World } from '../world.js';

export const garbageCollector: Controller = {
  name: 'garbage-collector',
  reconcile(world) {
    finishNamespaces(world);
    const all = world.store.everything();
    const alive = new Set(all.map(({ object }) => object.metadata.uid));
    const dependents = (owner: ApiObject): readonly ApiObject[] =>
      all
        .map(({ object }) => object)
        .filter((object) => object.metadata.ownerReferences?.some((ref) => ref.uid === owner.metadata.uid));
    for (const { kind, object } of all) {
      const owners = object.metadata.ownerReferences ?? [];
      if (owners.length > 0 && owners.every((owner) => !alive.has(owner.uid))) {
        if (object.metadata.deletionTimestamp === undefined) world.delete(object);
      } else if (object.metadata.finalizers?.includes('foregroundDeletion')) {
        const waiting = dependents(object);
        for (const dependent of waiting)
          if (dependent.metadata.deletionTimestamp === undefined) world.delete(dependent);
        if (waiting.length === 0) world.store.dropFinalizer(kind, object, 'foregroundDeletion');
      }
    }
  },
};

function finishNamespaces(world: World): void {
  for (const namespace of world.list('v1', 'Namespace')) {
    if (namespace.metadata.deletionTimestamp === undefined) continue;
    const inside = world.store
      .everything()
      .filter(({ object }) => object.metadata.namespace === namespace.metadata.name);
    for (const { object } of inside) if (object.metadata.deletionTimestamp === undefined) world.delete(object);
    if (inside.length > 0) continue;
    const kind = world.store.kind('v1', 'Namespace');
    if (kind === null) continue;
    if ((namespace.metadata.finalizers ?? []).length === 0) world.store.remove(kind, namespace);
    else world.store.dropFinalizer(kind, namespace, 'foregroundDeletion');
  }
}
