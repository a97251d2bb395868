import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatedHostOptions } from '../../lab/rack/index.js';
import { performStep } from '../../test/support/perform-step.js';
import { suiteWithClusters } from '../../test/support/clusters.js';
import { startRackHost, type RackHost } from '../../test/support/rack-host.js';
import { createClusterProvider } from '../adapters/kubernetes/index.js';
import { K3S_UNIT_TEXT } from '../domain/cluster/k3s.js';
import { stepsOf, type StepResult } from '../domain/run/steps.js';
import type { StepContext, StepImplementation, UndoableStepImplementation } from './define-step.js';
import { k3sSteps } from './k3s.js';
import { readWorkloads } from './workloads.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function start(
  options: Partial<SimulatedHostOptions> = {},
): Promise<{ rack: RackHost; context: (run: string) => Promise<StepContext> }> {
  const rack = await startRackHost({ nodeIP: '10.0.0.11', ...options });
  closing.push(() => rack.close());
  const clusters = createClusterProvider({ hosts: rack.adapters.hosts });
  closing.push(() => clusters.close());
  const context = async (run: string): Promise<StepContext> => {
    const ctx = { ...rack.context(run), clusters };
    await ctx.host.claim();
    return ctx;
  };
  return { rack, context };
}

suiteWithClusters();
const STEPS: Readonly<Record<string, StepImplementation | UndoableStepImplementation>> = k3sSteps;

async function perform(name: string, ctx: StepContext): Promise<StepResult> {
  const step = STEPS[name];
  if (step === undefined) throw new Error(`no step ${name}`);
  return performStep(step, ctx);
}

async function install(ctx: StepContext): Promise<readonly boolean[]> {
  const changed: boolean[] = [];
  for (const { name } of stepsOf('k3s')) changed.push((await perform(name, ctx)).changed);
  return changed;
}

async function uninstall(ctx: StepContext): Promise<void> {
  for (const { name } of stepsOf('k3s').toReversed()) {
    const step = STEPS[name];
    if (step !== undefined && 'undo' in step) await step.undo(ctx);
  }
}

describe('k3s on a fresh host', () => {
  it('is downloaded, checked, started and marked; a second run changes nothing and its undo removes nothing', async () => {
    const { context } = await start();
    const ctx = await context('run-1');
    expect(await install(ctx)).toEqual([true, true, true, true]);
    const cluster = await ctx.clusters.host(ctx.spec);
    const node = await cluster.get({ apiVersion: 'v1', kind: 'Node', name: 'h100-01' });
    expect(node?.metadata.labels).toMatchObject({ 'gpu-provision/run': 'run-1' });
    expect(await ctx.host.readFile('/etc/rancher/k3s/config.yaml')).toContain('flannel-backend: "none"');
    expect(await readWorkloads(ctx)).toEqual({ vms: [], gpuProcesses: [], foreignPods: [] });
    await ctx.host.release();
    const second = await context('run-2');
    expect(await install(second)).toEqual([false, false, false, false]);
    await uninstall(second);
    expect((await ctx.host.exec(['systemctl', 'is-active', 'k3s.service'])).stdout.trim()).toBe('active');
  });

  it('leaves nothing behind when it is undone, twice, but what phase 2 wrote for it', async () => {
    const { context } = await start();
    const ctx = await context('run-1');
    const dropIn = '/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/10-cozystack-cri.toml';
    await ctx.host.writeFile(
      { path: dropIn, content: 'version = 3\n', mode: '644' },
      'preparation.configure-containerd',
    );
    await install(ctx);
    await uninstall(ctx);
    await uninstall(ctx);
    for (const path of ['/usr/local/bin/k3s', '/etc/systemd/system/k3s.service', '/etc/rancher/k3s/config.yaml'])
      expect(await ctx.host.exists(path)).toBe(false);
    expect(await ctx.host.exists('/var/lib/rancher/k3s/server')).toBe(false);
    expect(await ctx.host.readFile(dropIn)).toBe('version = 3\n');
    expect((await ctx.host.exec(['systemctl', 'is-active', 'k3s.service'])).stdout.trim()).toBe('inactive');
  });

  it('is configured once, even before there is a k3s', async () => {
    const { context } = await start();
    const ctx = await context('run-1');
    expect(await perform('k3s.configure', ctx)).toMatchObject({ changed: true, summary: '1 files written' });
    expect(await perform('k3s.configure', ctx)).toMatchObject({ changed: false, summary: '1 files written' });
  });

  it('is not installed when its bytes are not those of the release', async () => {
    const release = 'https://github.com/k3s-io/k3s/releases/download/v1.35.3%2Bk3s1';
    const { context } = await start({ downloads: { [`${release}/k3s`]: 'not what was released' } });
    const ctx = await context('run-1');
    await perform('k3s.configure', ctx);
    await expect(perform('k3s.install', ctx)).rejects.toMatchObject({
      type: 'CommandFailed',
      message: expect.stringMatching(/has sha256 [0-9a-f]{64}; the release says [0-9a-f]{64}/),
    });
    expect(await ctx.host.exists('/usr/local/bin/k3s')).toBe(false);
  });
});

describe('a k3s that is there already', () => {
  it('blocks with other networks, and is not touched', async () => {
    const config = 'cluster-cidr: 10.244.0.0/16\n';
    const { context } = await start({
      files: {
        '/etc/rancher/k3s/config.yaml': config,
        '/etc/systemd/system/k3s.service': K3S_UNIT_TEXT,
      },
    });
    const ctx = await context('run-1');
    await expect(perform('k3s.configure', ctx)).rejects.toMatchObject({
      type: 'ClusterConflict',
      message: expect.stringContaining('k3s has cluster-cidr "10.244.0.0/16", wanted "10.42.0.0/16"'),
    });
    expect(await ctx.host.readFile('/etc/rancher/k3s/config.yaml')).toBe(config);
  });
});
