/**
 * The nested APIs of one host cluster: started when their control plane asks, stopped when it is gone, kept over restarts of the host.
 * @module
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kubeconfigFor } from './api/pki.js';
import { startControlPlane, type ControlPlane } from './control-plane.js';
import type { ClusterFault, Pace } from './contract.js';
import { NESTED_API_PORT, type NestedClusters } from './controllers/cluster-api.js';
import { acceptanceProgram, gpuOperator, nestedNodes, vmsOf } from './controllers/nested.js';
import { deployments, jobs, podEnds } from './controllers/workloads.js';
import type { World } from './world.js';

/** Image of the acceptance job; the lab plays what its program prints. */
const PYTORCH_IMAGE = 'docker.io/pytorch/pytorch';

export class NestedApis implements NestedClusters {
  /** Set before the first control plane asks. */
  host: World | null = null;
  private readonly running = new Map<string, ControlPlane>();
  /** By name, what starts or stops; a cluster that comes back waits for its predecessor's end. */
  private readonly moving = new Map<string, Promise<void>>();
  private closed = false;

  constructor(
    private readonly folder: string,
    private readonly faults: readonly ClusterFault[],
    private readonly pace: Pace | undefined,
  ) {}

  kubeconfig(key: string): string | null {
    const found = this.running.get(key);
    if (found !== undefined) return kubeconfigFor(found.pki, `https://${serviceName(key)}:${NESTED_API_PORT}`);
    if (!this.closed) this.move(key, () => this.start(key));
    return null;
  }

  world(key: string): World | null {
    return this.running.get(key)?.world ?? null;
  }

  port(key: string): number | null {
    return this.running.get(key)?.port ?? null;
  }

  hasNode(key: string, name: string): boolean {
    return (this.world(key)?.get('v1', 'Node', name) ?? null) !== null;
  }

  keepOnly(keys: readonly string[]): void {
    for (const [key, plane] of this.running) {
      if (keys.includes(key)) continue;
      this.running.delete(key);
      this.move(key, async () => {
        await plane.close();
        await rm(join(this.folder, key), { recursive: true, force: true });
      });
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.moving.values());
    await Promise.all([...this.running.values()].map((plane) => plane.close()));
    this.running.clear();
  }

  private move(key: string, how: () => Promise<void>): void {
    if (this.moving.has(key)) return;
    const done = how().finally(() => {
      this.moving.delete(key);
      this.host?.wake();
    });
    this.moving.set(key, done);
  }

  private async start(key: string): Promise<void> {
    const { host } = this;
    if (host === null) throw new TypeError('a control plane asked before the host cluster was there');
    const service = serviceName(key);
    const vms = vmsOf(host, key);
    const plane = await startControlPlane({
      folder: join(this.folder, key),
      names: ['127.0.0.1', 'localhost', service, service.replace(/\.svc$/, '')],
      faults: this.faults,
      pace: this.pace,
      controllers: ({ port, keepLog }) => [
        nestedNodes(vms, port),
        gpuOperator(vms),
        deployments,
        jobs({
          programs: new Map([[PYTORCH_IMAGE, acceptanceProgram(vms)]]),
          keepLog,
          needsReadyNode: true,
        }),
        podEnds,
      ],
    });
    // VMs are the nodes here, and nodes make machines ready there.
    host.onChange(() => plane.world.wake());
    plane.world.onChange(() => host.wake());
    this.running.set(key, plane);
  }
}

/** `tenant-workload/kubernetes-main` is served as `kubernetes-main.tenant-workload.svc`. */
function serviceName(key: string): string {
  const [namespace = '', name = ''] = key.split('/');
  return `${name}.${namespace}.svc`;
}
