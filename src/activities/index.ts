/**
 * Every activity there is, by name. Workflows see only the types.
 * @module
 */
import type { PlanPreview } from '../domain/preflight.js';
import type { StepName } from '../domain/run/steps.js';
import type { AnnounceActivities } from './announce.js';
import type { AuditActivities } from './audit.js';
import type { CommitActivities } from './commit.js';
import type { ConsoleActivities } from './console.js';
import type { DecommissionActivities } from './decommission.js';
import type { StepActivity, StepInput } from './define-step.js';
import type { IsolationActivities } from './isolation-state.js';
import type { KernelUpgradeActivities } from './kernel-upgrade.js';
import type { PlannedRebootActivities } from './planned-reboot.js';
import type { RebootActivities } from './reboot.js';
import type { RestoreActivities } from './restore.js';
import type { StorageActivities } from './storage.js';
import type { VerifyActivities } from './verify.js';

export type StepActivities = Record<StepName | `${StepName}.verify` | `${StepName}.undo`, StepActivity>;

export interface PlanActivities {
  /** Read-only: preflight and what every step would change. */
  'plan.preview'(input: StepInput): Promise<PlanPreview>;
}

export type AllActivities = StepActivities &
  RebootActivities &
  ConsoleActivities &
  PlannedRebootActivities &
  KernelUpgradeActivities &
  RestoreActivities &
  CommitActivities &
  IsolationActivities &
  StorageActivities &
  AnnounceActivities &
  AuditActivities &
  PlanActivities &
  VerifyActivities &
  DecommissionActivities;
