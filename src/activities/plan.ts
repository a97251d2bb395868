/**
 * The read-only plan behind `--dry-run`: preflight, and what every step says it would change. Nothing is claimed and nothing is written.
 * @module
 */
import { VFIO_DRIVER } from '../domain/gpu/pci.js';
import type { PlannedChange, PlanPreview } from '../domain/preflight.js';
import { judge, type PreflightReport } from '../domain/preflight/checks.js';
import type { HostFacts } from '../domain/preflight/facts.js';
import { PHASE_NAMES, type PhaseName } from '../domain/run/phases.js';
import { ProvisionError } from '../ports/failure.js';
import { contextOf, reporting, type Adapters, type StepContext, type StepImplementation } from './define-step.js';
import { imagesByKernel } from './host/boot.js';
import { readHostFacts } from './host/facts.js';
import type { PlanActivities } from './index.js';

/** Steps by name, for each phase that changes something. */
export type PreviewedPhases = Readonly<Partial<Record<PhaseName, Readonly<Record<string, StepImplementation>>>>>;

export function planActivities(adapters: Adapters, phases: PreviewedPhases): PlanActivities {
  return {
    'plan.preview': (input) => reporting(() => preview(contextOf(adapters, input), phases)),
  };
}

async function preview(ctx: StepContext, phases: PreviewedPhases): Promise<PlanPreview> {
  const { spec } = ctx;
  const facts = await readHostFacts(ctx);
  const report = judge(facts, spec);
  const changes: PlannedChange[] = [];
  for (const phase of PHASE_NAMES) {
    for (const [name, step] of Object.entries(phases[phase] ?? {})) {
      ctx.heartbeat(name);
      changes.push(...(await previewStep(ctx, name, step)).map((change) => ({ phase, ...change })));
    }
    if (phase === 'gpu-isolation' && !report.isolated) changes.push(...(await bootChanges(ctx)));
  }
  return {
    server: spec.name,
    address: spec.ssh.host,
    cluster: spec.cluster.name,
    host: report.host,
    checks: report.checks,
    changes,
    devices: movingDevices(facts, report, ctx),
    usualBootSeconds: median(report.earlierBootSeconds),
  };
}

/** A preview that fails says of which step; a plan with a hole in it would be read as a plan without that change. */
async function previewStep(
  ctx: StepContext,
  name: string,
  step: StepImplementation,
): Promise<readonly Omit<PlannedChange, 'phase'>[]> {
  try {
    return (await step.preview?.(ctx)) ?? [];
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    throw new ProvisionError(error.type, `planning ${name}: ${error.message}`, error.details, { cause: error });
  }
}

/** What phase 4 does that is not a file of a step: every image is rebuilt, and the host reboots once. */
async function bootChanges(ctx: StepContext): Promise<readonly PlannedChange[]> {
  const images = (await imagesByKernel(ctx.host)).installed.map((what): PlannedChange => ({
    phase: 'gpu-isolation',
    sign: '~',
    kind: 'image',
    what,
    diff: '',
  }));
  return [...images, { phase: 'gpu-isolation', sign: '+', kind: 'reboot', what: ctx.spec.name, diff: '' }];
}

function movingDevices(facts: HostFacts, report: PreflightReport, ctx: StepContext): PlanPreview['devices'] {
  if (report.isolated) return [];
  return facts.devices
    .filter((device) => ctx.spec.gpus.addresses.includes(device.address) && device.driver !== VFIO_DRIVER)
    .map(({ address, driver, iommuGroup }) => ({ address, driver, iommuGroup }));
}

function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? null;
}
