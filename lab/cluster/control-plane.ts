/**
 * One cluster of the lab: a real API server on a folder, what a kubelet serves, and the world of controllers that act in it.
 * @module
 */
import { join } from 'node:path';
import { keptPki, type Pki } from './api/pki.js';
import { startApiServer } from './api/server.js';
import type { ClusterFault, Pace } from './contract.js';
import { startKubeletApi, type KubeletApi } from './kubelet-api.js';
import { World, type Controller } from './world.js';

export interface ControlPlane {
  readonly world: World;
  readonly pki: Pki;
  /** Of the API on 127.0.0.1, TLS. */
  readonly port: number;
  close(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** Objects and credentials are kept here. */
  readonly folder: string;
  /** Addresses and DNS names that clients verify. */
  readonly names: readonly string[];
  readonly faults: readonly ClusterFault[];
  readonly pace: Pace | undefined;
  readonly controllers: (kubelet: KubeletApi) => readonly Controller[];
  /** Runs when the objects are known, before the controllers act. */
  readonly prepare?: (world: World, kubelet: KubeletApi) => Promise<void>;
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const pki = await keptPki(options.folder, options.names);
  const [api, kubelet] = await Promise.all([startApiServer(join(options.folder, 'api'), pki), startKubeletApi(pki)]);
  const world = new World(api.client, options.controllers(kubelet), options.faults, options.pace);
  await world.start(() => options.prepare?.(world, kubelet) ?? Promise.resolve());
  return {
    world,
    pki,
    port: api.port,
    close: async () => {
      await Promise.all([world.stop(), api.close(), kubelet.close()]);
    },
  };
}
