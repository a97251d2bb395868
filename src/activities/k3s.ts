/**
 * Phase 3: the pinned k3s. A k3s that is there already is used if it is what the inventory wants, and is never replaced.
 * @module
 */
import { parse as parseYaml } from 'yaml';
import {
  hashOf,
  k3sConfig,
  k3sConflicts,
  k3sRelease,
  type K3sRelease,
  K3S_UNIT_TEXT,
  parseK3sVersion,
  renderK3sConfig,
} from '../domain/cluster/k3s.js';
import {
  K3S_BINARY_PATH,
  K3S_CONFIG_PATH,
  K3S_REGISTRIES_PATH,
  K3S_TOKEN_PATH,
  K3S_UNIT,
  K3S_UNIT_PATH,
  KUBECONFIG_PATH,
} from '../domain/cluster/k3s-layout.js';
import { nodeWithIP } from '../domain/cluster/node.js';
import { MANAGED_BY_LABEL, FIELD_MANAGER, RUN_LABEL, runOf } from '../domain/cluster/ownership.js';
import { nestsDeep, textAt } from '../domain/cluster/objects.js';
import type { StepResult } from '../domain/run/steps.js';
import { ProvisionError } from '../ports/failure.js';
import type { PhaseSteps, StepContext } from './define-step.js';
import { INSTALL_BINARY, REMOVE_K3S_STATE } from './cluster/k3s-scripts.js';
import { refOf } from './cluster/ensure.js';
import { additions, previewFile } from './host/preview.js';
import type { FileContent } from './host/remote-host.js';

const K3S_STATE_DIR = '/var/lib/rancher/k3s/server';
/** Beside the target, under a name that no PATH finds. */
const DOWNLOADED_PATH = '/usr/local/bin/.k3s.gp~';
/** Retries of curl itself; what lasts longer is retried by Temporal. */
const CURL = ['curl', '-fsSL', '--retry', '5', '--retry-connrefused'];
/** Stopping waits for containers to end, and removing deletes some thousand files. */
const REMOVAL_TIMEOUT_MS = 5 * 60_000;

/** Refuses a k3s with another version or other settings. Says whether there is one at all. */
async function requireOurs(ctx: StepContext): Promise<{ installed: boolean }> {
  const { host } = ctx;
  const installed = await host.exists(K3S_BINARY_PATH);
  const version = installed ? parseK3sVersion(await host.must([K3S_BINARY_PATH, '--version'])) : null;
  const config = await host.readFile(K3S_CONFIG_PATH);
  const conflicts = k3sConflicts(ctx.spec, {
    version: installed ? (version ?? 'of an unknown version') : null,
    config: config === null ? null : parseK3sConfig(config),
    unit: await host.readFile(K3S_UNIT_PATH),
    hasState: await host.exists(K3S_STATE_DIR),
  });
  if (conflicts.length > 0)
    throw new ProvisionError('ClusterConflict', `${ctx.spec.name}: ${conflicts.join('; ')}. Nothing was changed`, {
      conflicts,
    });
  return { installed };
}

/** k3s's own has some hundred characters. The time the parser needs grows with the square of the number of keys. */
const CONFIG_LIMIT = 65_536;

/** Throws OutputUnexpected. */
export function parseK3sConfig(text: string): unknown {
  if (text.length > CONFIG_LIMIT)
    throw new ProvisionError(
      'OutputUnexpected',
      `${K3S_CONFIG_PATH} has ${text.length} characters, at most ${CONFIG_LIMIT} are read`,
    );
  if (nestsDeep(text)) throw new ProvisionError('OutputUnexpected', `${K3S_CONFIG_PATH} nests too deep to be read`);
  try {
    // By way of JSON: an alias may lead back to what it is in. Warnings quote the text, and Node would print them.
    return JSON.parse(JSON.stringify(parseYaml(text, { logLevel: 'error' })));
  } catch (error) {
    throw new ProvisionError('OutputUnexpected', `${K3S_CONFIG_PATH} is not YAML: ${String(error)}`);
  }
}

/** The files of phase 3 but for binary and unit. Contents of the token and of the mirrors' credentials come from the worker. */
async function files(ctx: StepContext): Promise<readonly FileContent[]> {
  const { spec, secrets } = ctx;
  const { token } = spec.cluster.k3s;
  const { registries } = spec.mirrors;
  return [
    { path: K3S_CONFIG_PATH, content: renderK3sConfig(k3sConfig(spec)), mode: '600' },
    ...(token === null ? [] : [{ path: K3S_TOKEN_PATH, content: `${await secrets.read(token)}\n`, mode: '600' }]),
    ...(registries === null
      ? []
      : [{ path: K3S_REGISTRIES_PATH, content: `${await secrets.read(`file:${registries}`)}\n`, mode: '600' }]),
  ];
}

/** Whether the ledger says that this run put the path there. */
async function isOwn(ctx: StepContext, path: string): Promise<boolean> {
  return (await ctx.host.ledger()).some(
    (entry) => entry.path === path && entry.run === ctx.run.id && entry.original === null,
  );
}

async function isRunning(ctx: StepContext): Promise<boolean> {
  const enabled = (await ctx.host.exec(['systemctl', 'is-enabled', K3S_UNIT])).stdout.trim();
  const active = (await ctx.host.exec(['systemctl', 'is-active', K3S_UNIT])).stdout.trim();
  return enabled === 'enabled' && active === 'active';
}

const written = (wanted: readonly FileContent[]): Omit<StepResult, 'changed'> => ({
  summary: `${wanted.length} files written`,
  facts: { files: wanted.map(({ path }) => path) },
});

export const k3sSteps = {
  'k3s.configure': {
    preview: async (ctx) => {
      if ((await requireOurs(ctx)).installed) return [];
      // Only the configuration is shown: the other files hold secrets.
      const [config, ...others] = await files(ctx);
      const shown = config === undefined ? [] : await previewFile(ctx.host, config);
      return [
        ...shown,
        ...additions(
          'file',
          others.map(({ path }) => path),
        ),
      ];
    },
    check: async (ctx) => {
      // Settings that a running k3s was started with are judged by meaning, not by the bytes of a file of ours.
      const { installed } = await requireOurs(ctx);
      if (installed && (await isRunning(ctx))) return { summary: 'k3s runs with the wanted settings' };
      const wanted = await files(ctx);
      for (const file of wanted) if (!(await ctx.host.fileIs(file))) return null;
      return written(wanted);
    },
    apply: async (ctx) => {
      for (const file of await files(ctx)) await ctx.host.writeFile(file, 'k3s.configure');
    },
    verify: async (ctx) => {
      await requireOurs(ctx);
      const wanted = await files(ctx);
      if (await isRunning(ctx)) return { summary: 'k3s runs with the wanted settings' };
      for (const file of wanted) {
        if (!(await ctx.host.fileIs(file)))
          throw new ProvisionError('StepNotVerified', `${file.path} is not as written`);
      }
      return written(wanted);
    },
    undo: async (ctx) => {
      const paths = [K3S_CONFIG_PATH, K3S_TOKEN_PATH, K3S_REGISTRIES_PATH];
      const restored: string[] = [];
      for (const path of paths) if (await ctx.host.restoreOriginal(path)) restored.push(path);
      return restored.length === 0 ? 'no file of this run' : `as before: ${restored.join(', ')}`;
    },
  },

  'k3s.install': {
    preview: async (ctx) =>
      (await requireOurs(ctx)).installed ? [] : additions('service', [`k3s ${ctx.spec.cluster.k3s.version} server`]),
    check: async (ctx) => {
      const { installed } = await requireOurs(ctx);
      const hasUnit = await ctx.host.exists(K3S_UNIT_PATH);
      return installed && hasUnit ? installedResult(ctx) : null;
    },
    apply: async (ctx) => {
      const { host, spec } = ctx;
      const machine = (await host.must(['uname', '-m'])).trim();
      const release = k3sRelease(spec.cluster.k3s.version, machine, spec.mirrors.k3s);
      if (release === null) throw new ProvisionError('ClusterConflict', `there is no k3s for ${machine} machines`);
      if (!(await host.exists(K3S_BINARY_PATH))) {
        await host.saveOriginal(K3S_BINARY_PATH, 'k3s.install');
        await download(ctx, release);
      }
      if (await host.writeFile({ path: K3S_UNIT_PATH, content: K3S_UNIT_TEXT, mode: '644' }, 'k3s.install'))
        await host.change(['systemctl', 'daemon-reload']);
    },
    verify: async (ctx) => {
      await requireOurs(ctx);
      if (!(await ctx.host.exists(K3S_BINARY_PATH)) || !(await ctx.host.exists(K3S_UNIT_PATH)))
        throw new ProvisionError('StepNotVerified', `${K3S_BINARY_PATH} or ${K3S_UNIT_PATH} is missing`);
      return installedResult(ctx);
    },
    undo: async (ctx) => {
      const own = await isOwn(ctx, K3S_BINARY_PATH);
      await ctx.host.restoreOriginal(K3S_UNIT_PATH);
      await ctx.host.restoreOriginal(K3S_BINARY_PATH);
      await ctx.host.change(['systemctl', 'daemon-reload']);
      return own ? 'k3s removed' : 'k3s was there before this run and stays';
    },
  },

  'k3s.start': {
    check: async (ctx) => ((await isRunning(ctx)) ? { summary: 'k3s runs' } : null),
    apply: async (ctx) => {
      // Type=notify: this returns when the API is up, which takes a minute at the first start.
      await ctx.host.mustUnit('k3s.start', ['systemctl', 'enable', '--now', K3S_UNIT]);
    },
    verify: async (ctx) => {
      if (!(await isRunning(ctx)))
        throw new ProvisionError('StepNotVerified', `${K3S_UNIT} is not enabled and active: see journalctl -u k3s`);
      return { summary: 'k3s is enabled and runs' };
    },
    undo: async (ctx) => {
      if (!(await isOwn(ctx, K3S_UNIT_PATH))) return 'k3s was there before this run and goes on';
      // Pods have no network before phase 5, so none but k3s's own can run; as k3s-uninstall.sh, all of its state goes.
      await ctx.host.changeScript(REMOVE_K3S_STATE, [K3S_UNIT], { timeoutMs: REMOVAL_TIMEOUT_MS });
      if ((await ctx.host.exists(K3S_STATE_DIR)) || (await ctx.host.exists(KUBECONFIG_PATH)))
        throw new ProvisionError('StepNotVerified', `${K3S_STATE_DIR} or ${KUBECONFIG_PATH} is still there`);
      return 'k3s stopped, its state removed';
    },
  },

  'k3s.await-node': {
    check: async (ctx) => ((await isNodeMarkWanted(ctx)) ? null : nodeResult(ctx)),
    apply: async (ctx) => {
      const cluster = await ctx.clusters.host(ctx.spec);
      const node = nodeWithIP(await cluster.list({ apiVersion: 'v1', kind: 'Node' }), ctx.spec.nodeIP);
      if (node === null) throw noNode(ctx);
      await cluster.mergePatch(refOf(node), {
        metadata: { labels: { [MANAGED_BY_LABEL]: FIELD_MANAGER, [RUN_LABEL]: ctx.run.id } },
      });
    },
    verify: nodeResult,
  },
} satisfies PhaseSteps<'k3s'>;

/** The binary, compared with the release's own list of hashes before anything can run it. */
async function download(ctx: StepContext, { binaryUrl, sumsUrl, asset }: K3sRelease): Promise<void> {
  const { host } = ctx;
  await host.mustUnit('k3s.download', [...CURL, '-o', DOWNLOADED_PATH, binaryUrl]);
  const sums = await host.must([...CURL, sumsUrl]);
  const wanted = hashOf(sums, asset);
  const found = (await host.hashFiles([DOWNLOADED_PATH])).get(DOWNLOADED_PATH);
  if (wanted === null || found !== wanted) {
    await host.change(['rm', '-f', DOWNLOADED_PATH]);
    const why = wanted === null ? `${sumsUrl} names no ${asset}` : `the release says ${wanted}`;
    throw new ProvisionError('CommandFailed', `${binaryUrl} has sha256 ${found ?? 'none'}; ${why}`);
  }
  await host.changeScript(INSTALL_BINARY, [DOWNLOADED_PATH, K3S_BINARY_PATH]);
}

const installedResult = (ctx: StepContext): { summary: string; facts: Record<string, unknown> } => ({
  summary: `k3s ${ctx.spec.cluster.k3s.version}`,
  facts: { version: ctx.spec.cluster.k3s.version },
});

const noNode = (ctx: StepContext): ProvisionError =>
  new ProvisionError('NotReadyYet', `the API of ${ctx.spec.name} has no Node with address ${ctx.spec.nodeIP} yet`);

/** The Node carries the mark of the run that installed k3s, so that anybody sees whose cluster it is. */
async function isNodeMarkWanted(ctx: StepContext): Promise<boolean> {
  const cluster = await ctx.clusters.host(ctx.spec);
  await cluster.raw('/readyz');
  const node = nodeWithIP(await cluster.list({ apiVersion: 'v1', kind: 'Node' }), ctx.spec.nodeIP);
  if (node === null) throw noNode(ctx);
  return runOf(node) === null && (await isOwn(ctx, K3S_UNIT_PATH));
}

/** Ready is not asked of the node: it has no network before phase 5. */
async function nodeResult(ctx: StepContext): Promise<{ summary: string; facts: Record<string, unknown> }> {
  const cluster = await ctx.clusters.host(ctx.spec);
  const ready = await cluster.raw('/readyz');
  if (ready.trim() !== 'ok') throw new ProvisionError('NotReadyYet', `/readyz of ${ctx.spec.name} says ${ready}`);
  const node = nodeWithIP(await cluster.list({ apiVersion: 'v1', kind: 'Node' }), ctx.spec.nodeIP);
  if (node === null) throw noNode(ctx);
  const { name } = node.metadata;
  return {
    summary: `/readyz ok, Node ${name} exists`,
    facts: { node: name, kubelet: textAt(node, 'status', 'nodeInfo', 'kubeletVersion') },
  };
}
