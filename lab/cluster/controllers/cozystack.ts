/**
 * cozystack-operator 1.5.4: the chart that installs it, and Packages that generate HelmReleases. A Package is Ready when its releases were
 * generated, whatever becomes of them.
 * @module
 */
import type { ApiObject } from '../api/object.js';
import { field, isTrue, textField, type Controller, type World } from '../world.js';
import { OPERATOR_DEFINITIONS } from '../definitions/cozystack.js';
import { helmRelease, type Chart, type Release } from './flux.js';
import type { Charts, HelmInstall } from './k3s.js';
import { deploymentSpec } from './workloads.js';
import { componentOf, PLATFORM_PARTS, releaseKeyOf, type PlatformPart } from './releases.js';

const MANAGER = 'cozystack-operator';
const PLATFORM = 'cozystack.cozystack-platform';
const VARIANTS = ['default', 'isp-full', 'isp-hosted', 'isp-full-generic'];
const API = 'cozystack.io/v1alpha1';

/** The installer chart, as k3s's Helm controller installs it. */
export const INSTALLER_CHARTS: Charts = new Map([
  ['oci://ghcr.io/cozystack/cozystack/cozy-installer 1.5.4', installOperator],
]);

async function installOperator(world: World, { namespace: target, values }: HelmInstall): Promise<void> {
  await world.ensure({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: target } }, 'helm');
  await world.ensure(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'cozystack-operator', namespace: target },
      spec: deploymentSpec('cozystack-operator', {
        hostNetwork: true,
        containers: [
          {
            name: 'cozystack-operator',
            image: 'ghcr.io/cozystack/cozystack/cozystack-operator:v1.5.4',
            args: [`--variant=${textField('', values, 'cozystackOperator', 'variant')}`],
            env: [{ name: 'KUBERNETES_SERVICE_HOST', value: textField('', values, 'cozystack', 'apiServerHost') }],
          },
        ],
      }),
    },
    'helm',
  );
}

export const cozystackOperator: Controller = {
  name: MANAGER,
  async reconcile(world) {
    const operator = world.get('apps/v1', 'Deployment', 'cozystack-operator', 'cozy-system');
    if (!isTrue(operator, 'Available')) return;
    for (const draft of OPERATOR_DEFINITIONS) await world.ensure(draft, MANAGER);
    await namespace(world, 'cozy-fluxcd');
    await source(world, PLATFORM, VARIANTS);
    for (const object of world.list(API, 'Package')) await reconcilePackage(world, object);
  },
};

async function namespace(world: World, name: string): Promise<void> {
  await world.ensure(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'cozystack.io/system': 'true' } } },
    MANAGER,
  );
}

async function source(world: World, name: string, variants: readonly string[]): Promise<void> {
  const made = await world.ensure(
    {
      apiVersion: API,
      kind: 'PackageSource',
      metadata: { name },
      spec: {
        sourceRef: { kind: 'OCIRepository', name: 'cozystack-platform', namespace: 'cozy-system' },
        variants: variants.map((variant) => ({ name: variant })),
      },
    },
    MANAGER,
  );
  await world.setCondition(made, { type: 'Ready', status: 'True', reason: 'ReconciliationSucceeded', message: '' });
}

async function reconcilePackage(world: World, object: ApiObject): Promise<void> {
  const { name } = object.metadata;
  const variant = textField('default', object, 'spec', 'variant');
  const refuse = (why: string, message: string): Promise<ApiObject> =>
    world.setCondition(object, { type: 'Ready', status: 'False', reason: why, message });
  if (name === PLATFORM) {
    if (!VARIANTS.includes(variant)) {
      await refuse('VariantNotFound', `variant ${variant} is not in PackageSource ${name}`);
      return;
    }
    await generate(world, object, {
      namespace: 'cozy-system',
      name: 'cozystack-platform',
      dependsOn: [],
      component: 'platform',
    });
    return;
  }
  const part = PLATFORM_PARTS.find((candidate) => candidate.package === name);
  if (part === undefined) {
    await refuse('PackageSourceNotFound', `PackageSource ${name} not found`);
    return;
  }
  const { namespace: target, dependsOn } = part;
  await generate(world, object, {
    namespace: target,
    name: componentOf(part),
    dependsOn,
    component: componentOf(part),
  });
}

interface Generated {
  readonly namespace: string;
  readonly name: string;
  readonly dependsOn: readonly string[];
  readonly component: string;
}

async function generate(
  world: World,
  object: ApiObject,
  { namespace: target, name, dependsOn, component }: Generated,
): Promise<void> {
  await namespace(world, target);
  const values = field(object, 'spec', 'components', component, 'values');
  await world.ensure(
    helmRelease({
      namespace: target,
      name,
      chart: `cozystack-${name}`,
      dependsOn,
      labels: { 'cozystack.io/package': object.metadata.name },
      ...(values === undefined ? {} : { values }),
    }),
    MANAGER,
  );
  await world.setCondition(object, {
    type: 'Ready',
    status: 'True',
    reason: 'ReconciliationSucceeded',
    message: 'generated 1 helmrelease(s)',
  });
}

/** The platform's own release brings the other Packages, a few at a time, and is Ready when all of them are. */
const platformChart: Chart = async (release) => {
  const { world } = release;
  const missing = PLATFORM_PARTS.filter((part) => world.get(API, 'Package', part.package) === null);
  for (const part of missing.slice(0, PACKAGES_A_STAGE)) await addPackage(release, part);
  const waiting = PLATFORM_PARTS.filter((part) => !isTrue(world.get(API, 'Package', part.package), 'Ready'));
  return waiting.length === 0 ? null : `waiting for ${waiting.length} Packages`;
};

/** So that a client that lists too early sees fewer than there will be. */
const PACKAGES_A_STAGE = 6;

async function addPackage(release: Release, part: PlatformPart): Promise<void> {
  await source(release.world, part.package, ['default']);
  await release.ensure({
    apiVersion: API,
    kind: 'Package',
    metadata: { name: part.package },
    spec: { variant: 'default' },
  });
}

export const PLATFORM_CHARTS: ReadonlyMap<string, Chart> = new Map<string, Chart>([
  ['cozy-system/cozystack-platform', platformChart],
  ...PLATFORM_PARTS.map((part) => [releaseKeyOf(part), part.chart] as const),
]);
