/**
 * What is in the cluster already and stands in the way of the later phases. Looked for in preflight: after the reboot is late.
 * @module
 */
import { cozystackConflicts } from '../cozystack.js';
import type { StepContext } from '../define-step.js';
import { kubevirtConflicts } from '../kubevirt.js';
import { nestedConflicts } from '../nested-cluster.js';
import { storageConflicts } from '../storage.js';
import { temporaryConflicts } from '../temporary-cluster.js';
import { clusterIfAny } from './host-cluster.js';

/** One line each; empty also before there is a cluster. */
export async function clusterConflicts(ctx: StepContext): Promise<readonly string[]> {
  const cluster = await clusterIfAny(ctx);
  if (cluster === null) return [];
  return [
    ...(await cozystackConflicts(cluster, ctx)),
    ...(await storageConflicts(cluster, ctx.spec)),
    ...(await kubevirtConflicts(ctx)),
    ...(await nestedConflicts(cluster, ctx)),
    ...(await temporaryConflicts(cluster, ctx)),
  ];
}
