/**
 * Whether the host reaches what the phases of the run will download. Asked from the host: that is where k3s and its containers are.
 * @module
 */
import { HELM_CHART_REF } from '../../domain/cluster/cozystack.js';
import { appRef } from '../../domain/cluster/nested.js';
import { answers, aptSources, endpoints, type Present } from '../../domain/preflight/endpoints.js';
import type { ReachFacts } from '../../domain/preflight/facts.js';
import { PHASE_NAMES } from '../../domain/run/phases.js';
import { ProvisionError } from '../../ports/failure.js';
import { clusterIfAny } from '../cluster/host-cluster.js';
import { readRegistryMirrors } from '../cluster/registries.js';
import type { StepContext } from '../define-step.js';
import { missingPackages } from '../preparation/install-packages.js';
import { APT_SOURCES, REACH_FACTS } from './facts-scripts.js';

/** A dozen addresses, each of which may be silent. */
const ASK_TIMEOUT_MS = 5 * 60_000;

export async function readReach(ctx: StepContext, hasK3s: boolean): Promise<ReachFacts> {
  const { host, spec } = ctx;
  const sources = aptSources((await host.script(APT_SOURCES)).split('\n'));
  const mirrors = await readRegistryMirrors(spec, ctx.secrets);
  const asked = endpoints(spec, ctx.phases ?? PHASE_NAMES, await present(ctx, hasK3s), sources, mirrors);
  const urls = [...new Set(asked.flatMap((endpoint) => endpoint.urls))];
  if (urls.length === 0) return { asked: 0, silent: [] };
  ctx.heartbeat(`asking ${urls.length} addresses`);
  const found = await host.facts(REACH_FACTS, urls, { timeoutMs: ASK_TIMEOUT_MS });
  const code = (url: string): string => found.text(`${urls.indexOf(url)}.code`) ?? '000';
  const silent = asked.filter(({ urls: places, wanted }) => !places.some((url) => answers(code(url), wanted)));
  return {
    asked: asked.length,
    silent: silent.map(({ what, urls: places, mirror }) => ({
      what,
      mirror,
      urls: places.map((url) => `${url} ${code(url)}`),
    })),
  };
}

async function present(ctx: StepContext, hasK3s: boolean): Promise<Present> {
  const packages = (await missingPackages(ctx)).length === 0;
  try {
    const cluster = await clusterIfAny(ctx);
    if (cluster === null) return { packages, k3s: hasK3s, cozystack: false, nested: false };
    const apps = await Promise.all(ctx.spec.cluster.nested.map((nested) => cluster.get(appRef(nested))));
    return {
      packages,
      k3s: hasK3s,
      cozystack: (await cluster.get(HELM_CHART_REF)) !== null,
      nested: apps.every((app) => app !== null),
    };
  } catch (error) {
    // A cluster that does not answer is for another check to tell; then everything is asked for.
    if (!(error instanceof ProvisionError) || error.type !== 'ClusterUnreachable') throw error;
    return { packages, k3s: hasK3s, cozystack: false, nested: false };
  }
}
