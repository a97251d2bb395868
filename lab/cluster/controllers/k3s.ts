/**
 * What comes with k3s: the Node, which has no network before a CNI is installed, and the Helm controller.
 * @module
 */
import { parse as parseYaml } from 'yaml';
import { isJson, type ApiObject, type Json } from '../api/object.js';
import { field, isTrue, type Controller, type World } from '../world.js';
import { K3S_DEFINITIONS } from '../definitions/k3s.js';
import { LOG_ADDRESS } from '../kubelet-api.js';
import { containerOf, type ProgramResult } from './workloads.js';

export interface NodeFacts {
  readonly name: string;
  readonly ip: string;
  /** `v1.35.3+k3s1` */
  readonly version: string;
}

/** The release whose readiness means that the node has a network. */
const CNI = { namespace: 'cozy-cilium', name: 'cilium' };
const NOT_READY_TAINT = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };

export function kubelet(facts: NodeFacts, logPort: number): Controller {
  return {
    name: 'kubelet',
    async reconcile(world) {
      for (const draft of K3S_DEFINITIONS) await world.ensure(draft, 'k3s');
      const node = await world.ensure(
        {
          apiVersion: 'v1',
          kind: 'Node',
          metadata: {
            name: facts.name,
            labels: { 'kubernetes.io/hostname': facts.name, 'node-role.kubernetes.io/control-plane': 'true' },
          },
        },
        'k3s',
      );
      const hasNetwork = isTrue(
        world.get('helm.toolkit.fluxcd.io/v2', 'HelmRelease', CNI.name, CNI.namespace),
        'Ready',
      );
      await taint(world, node, hasNetwork);
      await world.setCondition(
        node,
        hasNetwork
          ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
          : {
              type: 'Ready',
              status: 'False',
              reason: 'KubeletNotReady',
              message:
                'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized',
            },
        {
          addresses: [
            { type: 'InternalIP', address: facts.ip },
            { type: 'Hostname', address: facts.name },
            LOG_ADDRESS,
          ],
          daemonEndpoints: { kubeletEndpoint: { Port: logPort } },
          nodeInfo: nodeInfo(facts.version),
        },
      );
    },
  };
}

/** Keeps other taints, and follows `unschedulable` as the node controller does. */
async function taint(world: World, node: ApiObject, ready: boolean): Promise<void> {
  const now = field(node, 'spec', 'taints');
  const before = Array.isArray(now) ? now.filter(isJson) : [];
  const ours = new Set([NOT_READY_TAINT.key, UNSCHEDULABLE]);
  const cordoned = field(node, 'spec', 'unschedulable') === true;
  const cordon = before.find((entry) => entry['key'] === UNSCHEDULABLE) ?? {
    key: UNSCHEDULABLE,
    effect: 'NoSchedule',
    timeAdded: new Date().toISOString(),
  };
  const taints = [
    ...before.filter((entry) => !ours.has(String(entry['key']))),
    ...(ready ? [] : [NOT_READY_TAINT]),
    ...(cordoned ? [cordon] : []),
  ];
  const spec = isJson(node['spec']) ? node['spec'] : {};
  const { taints: _before, ...rest } = spec;
  await world.replace({ ...node, spec: taints.length === 0 ? rest : { ...rest, taints } }, 'k3s');
}

/** The API requires all of them. */
export const nodeInfo = (kubeletVersion: string): Json => ({
  machineID: '',
  systemUUID: '',
  bootID: '',
  kernelVersion: '',
  osImage: '',
  containerRuntimeVersion: '',
  kubeletVersion,
  kubeProxyVersion: '',
  operatingSystem: 'linux',
  architecture: 'amd64',
});

const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** The Helm controller: one Job per HelmChart. */
export const helmController: Controller = {
  name: 'helm-controller',
  async reconcile(world) {
    for (const chart of world.list('helm.cattle.io/v1', 'HelmChart')) {
      const { name, namespace = 'default' } = chart.metadata;
      const jobName = `helm-install-${name}`;
      await world.createOnce(
        {
          apiVersion: 'batch/v1',
          kind: 'Job',
          metadata: { name: jobName, namespace, labels: { 'helmcharts.helm.cattle.io/chart': name } },
          spec: {
            backoffLimit: 1000,
            template: {
              spec: {
                hostNetwork: field(chart, 'spec', 'bootstrap') === true,
                restartPolicy: 'OnFailure',
                containers: [
                  {
                    name: 'helm',
                    image: `${HELM_IMAGE}:v0.9.8-build20250709`,
                    env: [
                      { name: 'CHART', value: field(chart, 'spec', 'chart') },
                      { name: 'VERSION', value: field(chart, 'spec', 'version') },
                      { name: 'TARGET_NAMESPACE', value: field(chart, 'spec', 'targetNamespace') },
                      { name: 'VALUES', value: field(chart, 'spec', 'valuesContent') },
                    ],
                  },
                ],
              },
            },
          },
        },
        'helm-controller',
      );
      await world.setStatus(chart, { jobName }, 'helm-controller');
    }
  },
};

export const HELM_IMAGE = 'rancher/klipper-helm';

export interface HelmInstall {
  readonly namespace: string;
  readonly values: unknown;
}

/** Charts that the lab can install, by `CHART VERSION`. */
export type Charts = ReadonlyMap<string, (world: World, install: HelmInstall) => Promise<void>>;

/** The program of the Helm controller's Jobs. */
export function helmProgram(charts: Charts): (world: World, pod: ApiObject) => Promise<ProgramResult> {
  return async (world, pod) => {
    const env = environmentOf(pod);
    const chart = `${env['CHART'] ?? ''} ${env['VERSION'] ?? ''}`;
    const install = charts.get(chart);
    if (install === undefined)
      return { exitCode: 1, log: `Error: INSTALLATION FAILED: ${env['CHART']}:${env['VERSION']}: not found\n` };
    await install(world, { namespace: env['TARGET_NAMESPACE'] ?? 'default', values: parseYaml(env['VALUES'] ?? '') });
    return { exitCode: 0, log: 'STATUS: deployed\n' };
  };
}

function environmentOf(pod: ApiObject): Readonly<Record<string, string>> {
  const env = field(containerOf(pod), 'env');
  return Object.fromEntries(
    (Array.isArray(env) ? env : [])
      .filter(isJson)
      .map(({ name, value }) => [String(name), typeof value === 'string' ? value : '']),
  );
}
