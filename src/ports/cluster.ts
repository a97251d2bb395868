/**
 * A Kubernetes API, reached through the host it runs on. Objects are plain JSON; nothing here knows Cozystack.
 * Every method throws ProvisionError: ClusterUnreachable (retry), NotReadyYet (the kind, the namespace or a log is not there yet, or the
 * object changed under us), ClusterConflict (another owner or invalid object), ClusterRefused (forbidden); and those of the host.
 * @module
 */
import type { KubeObject } from '../domain/cluster/objects.js';
import type { ServerSpec } from '../domain/spec.js';

export type { KubeObject };

export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

export interface Cluster {
  /** GET of a path such as `/readyz`; the body as text. */
  raw(path: string): Promise<string>;
  /** null when it does not exist (nor its kind). */
  get(ref: ObjectRef): Promise<KubeObject | null>;
  /** All of them, whatever pages they come in. */
  list(kind: {
    apiVersion: string;
    kind: string;
    namespace?: string;
    labelSelector?: string;
  }): Promise<readonly KubeObject[]>;
  /** Server-side apply with the field manager `gpu-provision`; the object as stored. */
  apply(object: KubeObject): Promise<KubeObject>;
  /** JSON merge patch; the object as stored. */
  mergePatch(ref: ObjectRef, patch: unknown): Promise<KubeObject>;
  /** Foreground deletion; false when it was not there. */
  delete(ref: ObjectRef): Promise<boolean>;
  /** Text of a pod's log, last `tailLines`. */
  podLog(namespace: string, name: string, tailLines: number): Promise<string>;
}

export interface ClusterProvider {
  /** The k3s cluster of this host. */
  host(spec: ServerSpec): Promise<Cluster>;
  /** A nested cluster, by the kubeconfig that the host cluster keeps in a Secret. */
  nested(spec: ServerSpec, kubeconfig: { namespace: string; secret: string; key: string }): Promise<Cluster>;
  close(): Promise<void>;
}
