/**
 * Cluster phases that fail for good: they park with a message to act on, go on when it is put right, and given up they leave what
 * docs/phases.md says.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { createClusterProvider } from '../../src/adapters/kubernetes/index.js';
import { createSecretSource } from '../../src/adapters/secrets/index.js';
import { createHostProvider } from '../../src/adapters/ssh/index.js';
import { kubeconfigOf, kubernetesApp } from '../../src/domain/cluster/nested.js';
import type { Cluster, ClusterProvider, ObjectRef } from '../../src/ports/cluster.js';
import { story, type ProvisionRun } from '../support/provision-run.js';
import { suiteWithClusters } from '../support/clusters.js';
import { ALL_PHASES, withSite, type Site, type SiteOptions } from './rig.js';

suiteWithClusters();

const ref = (apiVersion: string, kind: string, name: string, namespace?: string): ObjectRef => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
});
const KUBEVIRT = ref('kubevirt.io/v1', 'KubeVirt', 'kubevirt', 'cozy-kubevirt');
const TENANT = ref('apps.cozystack.io/v1alpha1', 'Tenant', 'workload', 'tenant-root');
const APP = ref('apps.cozystack.io/v1alpha1', 'Kubernetes', 'main', 'tenant-workload');
const JOB = ref('batch/v1', 'Job', 'gpu-provision-acceptance', 'default');
const NAMESPACE = ref('v1', 'Namespace', 'tenant-workload');
const POLL = { timeout: 60_000, interval: 200 };

interface Stage {
  readonly site: Site;
  readonly run: ProvisionRun;
  /** The cluster as an administrator of it sees it. */
  readonly cluster: Cluster;
  readonly clusters: ClusterProvider;
}

/** A run at the question for disks: the platform comes up meanwhile, and people can act in the cluster. */
function whileDisksAreAsked(options: SiteOptions, body: (stage: Stage) => Promise<void>): Promise<void> {
  return withSite(options, async (site) => {
    const hosts = createHostProvider({ secrets: createSecretSource() });
    const clusters = createClusterProvider({ hosts });
    try {
      const run = await site.begin(ALL_PHASES);
      await run.approve();
      await run.untilAsked('disks');
      await body({ site, run, clusters, cluster: await clusters.host(site.spec) });
    } finally {
      await clusters.close();
      await hosts.close();
    }
  });
}

const permitted = (name: string): object => ({
  spec: {
    configuration: {
      permittedHostDevices: { pciHostDevices: [{ pciVendorSelector: '10DE:2330', resourceName: name }] },
    },
  },
});
const serialized = async (cluster: Cluster, object: ObjectRef): Promise<string> =>
  JSON.stringify(await cluster.get(object));

describe('a cluster phase that fails for good', () => {
  it('parks with the reason, and goes on where it was when that is put right', () =>
    whileDisksAreAsked({ host: { clusterFaults: [{ effect: 'gpu-job-fails-802', times: 1 }] } }, async (stage) => {
      const { run, cluster, site } = stage;
      await expect.poll(() => cluster.get(KUBEVIRT), POLL).not.toBeNull();
      await cluster.mergePatch(KUBEVIRT, permitted('nvidia.com/THEIR_NAME'));
      await run.approve('disks');

      const sixth = await run.untilAsked('parked:kubevirt');
      expect(sixth.question?.text).toContain('permitted as nvidia.com/THEIR_NAME');
      expect(await serialized(cluster, KUBEVIRT)).not.toContain(site.spec.gpus.resource);
      await cluster.mergePatch(KUBEVIRT, { spec: { configuration: { permittedHostDevices: null } } });
      await run.answer('resume', 'parked:kubevirt');

      const eighth = await run.untilAsked('parked:acceptance');
      expect(eighth.question?.text).toMatch(/0 of 8 GPUs proven\. CUDA error 802: .*NVreg_NvLinkDisable=1/);
      await run.answer('resume', 'parked:acceptance');

      const status = await run.end();
      expect(status.outcome, story(status)).toBe('provisioned');
      expect(site.host.boots).toHaveLength(2);
    }));

  it('phase 7 given up: a cluster and a tenant of somebody else stay, and so does what earlier phases made', () =>
    whileDisksAreAsked({}, async ({ run, cluster, site }) => {
      const [nested] = site.spec.cluster.nested;
      if (nested === undefined) throw new Error('the site has no nested cluster');
      await expect
        .poll(
          () =>
            cluster.list(TENANT).then(
              (list) => list.length,
              () => 0,
            ),
          POLL,
        )
        .toBeGreaterThan(0);
      const { apiVersion, kind, ...metadata } = TENANT;
      await cluster.apply({ apiVersion, kind, metadata, spec: {} });
      await expect.poll(() => cluster.get(NAMESPACE), POLL).not.toBeNull();
      const theirs = kubernetesApp(nested, site.spec.gpus);
      await cluster.apply({ ...theirs, spec: { ...(theirs['spec'] as object), version: 'v1.33' } });
      await run.approve('disks');

      const { question } = await run.untilAsked('parked:nested-cluster');
      expect(question?.text).toContain(
        'Kubernetes tenant-workload/main is there already and was not made by gpu-provision; it differs in spec.version',
      );
      await run.answer('reject', 'parked:nested-cluster');
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('incomplete');
      expect(await serialized(cluster, APP)).toContain('v1.33');
      const tenant = await serialized(cluster, TENANT);
      expect(tenant).toContain('workload');
      expect(tenant).not.toContain('deletionTimestamp');
      expect(await serialized(cluster, KUBEVIRT)).toContain(site.spec.gpus.resource);
      const platform = ref('cozystack.io/v1alpha1', 'Package', 'cozystack.cozystack-platform');
      expect(await cluster.get(platform)).not.toBeNull();
    }));

  it('phase 8 given up: the job goes, the nested cluster stays', () =>
    whileDisksAreAsked({ host: { clusterFaults: [{ effect: 'gpu-job-slow' }] } }, async (stage) => {
      const { run, clusters, cluster, site } = stage;
      await run.approve('disks');
      const { question } = await run.untilAsked('parked:acceptance');
      expect(question?.text).toMatch(/1 of 8 GPUs proven\. GPU-\S+ .*memory copy 1480 GB\/s, at least 2700/);
      await run.answer('reject', 'parked:acceptance');
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('incomplete');
      const job = status.phases.flatMap((p) => p.steps).find((step) => step.name === 'acceptance.await-job');
      expect(job).toMatchObject({ state: 'failed', facts: { proven: 1, total: 8, gpus: { length: 2 } } });
      const [nested] = site.spec.cluster.nested;
      if (nested === undefined) throw new Error('the site has no nested cluster');
      const inner = await clusters.nested(site.spec, kubeconfigOf(nested));
      expect(await inner.get(JOB)).toBeNull();
      expect(await cluster.get(APP)).not.toBeNull();
    }));

  it('a cancel while phase 7 waits takes away what this run made there', () =>
    whileDisksAreAsked({ host: { clusterFaults: [{ effect: 'vm-never-starts' }] } }, async ({ run, cluster }) => {
      await run.approve('disks');
      await expect.poll(() => cluster.get(APP).catch(() => null), POLL).not.toBeNull();
      await run.until((s) => s.phases.some((p) => p.steps.some((step) => step.name === 'nested.await-nodes')));
      await run.handle.cancel();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('incomplete');
      expect(status.compensations, `${story(status)}\n${JSON.stringify(status.findings)}`).toEqual([
        'nested.create-cluster',
        'nested.create-tenant',
      ]);
      const left = (): Promise<unknown> => Promise.all([APP, TENANT, NAMESPACE].map((object) => cluster.get(object)));
      await expect.poll(left, POLL).toEqual([null, null, null]);
      const vms = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachineInstance' };
      await expect.poll(() => cluster.list(vms), POLL).toEqual([]);
    }));
});
