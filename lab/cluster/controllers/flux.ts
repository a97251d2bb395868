/**
 * Flux: HelmReleases that become Ready in the order of their dependencies, with the transient failures that are normal on the way, and
 * that take their objects with them when they are deleted.
 * @module
 */
import { isJson, type ApiObject, type ObjectDraft } from '../api/object.js';
import { deploymentSpec } from './workloads.js';
import { field, isTrue, keyOf, reason, textField, type Controller, type World } from '../world.js';

const FINALIZER = 'finalizers.fluxcd.io';
const BY_NAME = 'helm.toolkit.fluxcd.io/name';
const BY_NAMESPACE = 'helm.toolkit.fluxcd.io/namespace';

/** Where a chart puts its objects: they carry the release's labels. */
export class Release {
  constructor(
    readonly world: World,
    readonly object: ApiObject,
  ) {}

  get namespace(): string {
    return this.object.metadata.namespace ?? 'default';
  }

  get values(): unknown {
    return field(this.object, 'spec', 'values');
  }

  ensure(draft: ObjectDraft): Promise<ApiObject> {
    const labels = {
      ...draft.metadata.labels,
      [BY_NAME]: this.object.metadata.name,
      [BY_NAMESPACE]: this.namespace,
    };
    return this.world.ensure({ ...draft, metadata: { ...draft.metadata, labels } }, 'helm-controller');
  }

  deployment(name: string, namespace = this.namespace): Promise<ApiObject> {
    return this.ensure({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace },
      spec: deploymentSpec(name),
    });
  }
}

/** Installs or upgrades. null when Helm's wait is over, else what it waits for. */
export type Chart = (release: Release) => string | null | Promise<string | null>;

/** `charts`: by `NAMESPACE/NAME` of the release, or by the chart's name where releases are many. */
export function flux(charts: ReadonlyMap<string, Chart>): Controller {
  return {
    name: 'helm-controller',
    async reconcile(world) {
      for (const release of world.list(HR.apiVersion, HR.kind)) {
        if (release.metadata.deletionTimestamp !== undefined) await uninstall(world, release);
        else await advance(world, release, charts);
      }
    },
  };
}

const HR = { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' } as const;

export interface ReleaseDraft {
  readonly namespace: string;
  readonly name: string;
  readonly chart: string;
  readonly dependsOn?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly values?: unknown;
  readonly timeout?: string;
}

export function helmRelease(draft: ReleaseDraft): ObjectDraft {
  const { namespace, name, chart, dependsOn = [], labels = {}, values, timeout } = draft;
  return {
    ...HR,
    metadata: { name, namespace, labels },
    spec: {
      interval: '5m',
      ...(timeout === undefined ? {} : { timeout }),
      chartRef: { kind: 'ExternalArtifact', name: chart, namespace: 'cozy-system' },
      ...(dependsOn.length === 0
        ? {}
        : {
            dependsOn: dependsOn.map((key) => {
              const [ns = '', dependency = ''] = key.split('/');
              return { namespace: ns, name: dependency };
            }),
          }),
      ...(values === undefined ? {} : { values }),
    },
  };
}

type Verdict = readonly ['True' | 'False' | 'Unknown', string, string];

async function advance(world: World, release: ApiObject, charts: ReadonlyMap<string, Chart>): Promise<void> {
  if (!release.metadata.finalizers?.includes(FINALIZER)) {
    await world.replace({ ...release, metadata: { ...release.metadata, finalizers: [FINALIZER] } }, 'helm-controller');
    return;
  }
  const generation = release.metadata.generation;
  const current = field(release, 'status', 'observedGeneration') === generation;
  if (isTrue(release, 'Ready') && current) return;
  const [status, why, message] = await nextState(world, release, charts);
  await world.setCondition(
    release,
    { type: 'Ready', status, reason: why, message },
    status === 'True' ? { observedGeneration: generation } : {},
  );
}

async function nextState(world: World, release: ApiObject, charts: ReadonlyMap<string, Chart>): Promise<Verdict> {
  const key = keyOf(release);
  const chart = String(field(release, 'spec', 'chartRef', 'name'));
  const upgrade = field(release, 'status', 'observedGeneration') !== undefined;
  const before = reason(release, 'Ready');
  if (before === null)
    return ['False', 'ArtifactFailed', `ExternalArtifact.source.toolkit.fluxcd.io "${chart}" not found`];
  const dependency = dependenciesOf(release).find(
    ([namespace, name]) => !isTrue(world.get(HR.apiVersion, HR.kind, name, namespace), 'Ready'),
  );
  if (dependency !== undefined)
    return ['False', 'DependencyNotReady', `dependency '${dependency.join('/')}' is not ready`];
  if (world.fault('release-never-ready', key) !== null || world.strike('release-fails-first', key))
    return [
      'False',
      'InstallFailed',
      `Helm install failed for release ${key}: context deadline exceeded: timeout waiting for: [Deployment/${key} status: 'InProgress']`,
    ];
  const progressing = before === 'Progressing';
  if (!progressing)
    return ['Unknown', 'Progressing', `Running '${upgrade ? 'upgrade' : 'install'}' action with timeout of 10m0s`];
  const install = charts.get(key) ?? charts.get(chart);
  const waiting = (await install?.(new Release(world, release))) ?? null;
  if (waiting !== null) return ['Unknown', 'Progressing', waiting];
  return [
    'True',
    upgrade ? 'UpgradeSucceeded' : 'InstallSucceeded',
    `Helm ${upgrade ? 'upgrade' : 'install'} succeeded for release ${key}`,
  ];
}

function dependenciesOf(release: ApiObject): readonly (readonly [string, string])[] {
  const list = field(release, 'spec', 'dependsOn');
  return (Array.isArray(list) ? list : [])
    .filter(isJson)
    .map((entry) => [textField(release.metadata.namespace ?? '', entry, 'namespace'), textField('', entry, 'name')]);
}

/** Deletes the release's objects, then lets the release go. */
async function uninstall(world: World, release: ApiObject): Promise<void> {
  const objects = world
    .everything()
    .filter(
      ({ metadata }) =>
        metadata.labels?.[BY_NAME] === release.metadata.name &&
        metadata.labels[BY_NAMESPACE] === release.metadata.namespace,
    );
  for (const object of objects) await world.delete(object);
  if (objects.length === 0) await world.dropFinalizer(release, FINALIZER);
}
