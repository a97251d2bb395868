/**
 * The cluster of a host that may not have one yet.
 * @module
 */
import { KUBECONFIG_PATH } from '../../domain/cluster/k3s-layout.js';
import type { Cluster } from '../../ports/cluster.js';
import type { StepContext } from '../define-step.js';

/** null before k3s has ever run on the host. */
export async function clusterIfAny(ctx: StepContext): Promise<Cluster | null> {
  return (await ctx.host.exists(KUBECONFIG_PATH)) ? ctx.clusters.host(ctx.spec) : null;
}
