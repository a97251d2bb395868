/**
 * Facts of a Node object.
 * @module
 */
import { countAt, listAt, textAt, type KubeObject } from './objects.js';

/** The Node of a host, by its internal address: its name may be anything on a k3s that was there before. */
export function nodeWithIP(nodes: readonly KubeObject[], nodeIP: string): KubeObject | null {
  const found = nodes.find((node) =>
    listAt(node, 'status', 'addresses').some(
      (entry) => textAt(entry, 'type') === 'InternalIP' && textAt(entry, 'address') === nodeIP,
    ),
  );
  return found ?? null;
}

/** How many of an extended resource a node offers; 0 when it does not know it. */
export function allocatable(node: KubeObject, resource: string): number {
  return countAt(node, 'status', 'allocatable', resource) ?? 0;
}
