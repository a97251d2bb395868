/**
 * The interface of the workflow: names and shapes of what goes in and out. Clients need nothing else.
 * @module
 */
import type { BootOutcome } from '../boot/reboot.js';
import type { RebootPlan } from '../boot/plan.js';
import type { TruthBaseline, TruthTable } from '../gpu/truth-table.js';
import type { AcceptanceMode, ServerSpec } from '../spec.js';
import type { ArtifactRef } from './artifacts.js';
import type { FailureType } from './failures.js';
import type { Outcome } from './outcomes.js';
import type { PhaseName } from './phases.js';
import type { OpenQuestion, Receipt } from './questions.js';

export const WORKFLOW_TYPE = 'provisionServer';

/** Reads the host and answers with a PlanPreview; changes nothing. Argument: one PlanInput. */
export const PLAN_WORKFLOW_TYPE = 'planServer';
export const planWorkflowId = (server: string): string => `plan/${server}`;

/** What is done to a server that is provisioned, under the id of provisioning, so that one excludes the other. Argument: one Day2Input. */
export const DAY_2_WORKFLOW_TYPES = {
  /** Gives the GPUs back. */
  decommission: 'decommissionServer',
  /** Into the entry that was proven, which is proven once more. */
  reboot: 'rebootServer',
  /** A newer kernel, proven before it is the default. */
  'upgrade-kernel': 'upgradeKernel',
} as const;

/** Reads what runs have made and answers with a VerifyReport; changes nothing. Argument: one VerifyInput. */
export const VERIFY_WORKFLOW_TYPE = 'verifyServer';
/** Of the schedule too; a run that the schedule starts has its time appended. */
export const verifyWorkflowId = (server: string): string => `verify/${server}`;

/** Whom a run or a plan is about, by its workflow id. */
export const serverOfWorkflow = (id: string): string | undefined => /^(?:provision|plan)\/(.+)$/.exec(id)?.[1];

/** Task queue of the workflows. */
export const WORKFLOW_QUEUE = 'provision';
/** Task queue of activities that change hosts of a site. */
export const hostQueue = (site: string): string => `${site}.host`;
/** Task queue of probes and BMC, so that hosts that are waited for don't hold the others up. */
export const watchQueue = (site: string): string => `${site}.watch`;
/** The workflow id is the lock: one run per server. */
export const workflowId = (server: string): string => `provision/${server}`;

/** Updates (with a receipt) and signals (for the UI) share these names. Argument: one Decision. */
export const MESSAGES = { approve: 'approve', reject: 'reject', resume: 'resume' } as const;
export const QUERIES = { status: 'status', plan: 'plan', evidence: 'evidence' } as const;

/** All of type Keyword. */
export const SEARCH_ATTRIBUTES = {
  server: 'ProvisionServer',
  site: 'ProvisionSite',
  phase: 'ProvisionPhase',
  gate: 'ProvisionGate',
  outcome: 'ProvisionOutcome',
} as const;

export interface ProvisionInput {
  readonly spec: ServerSpec;
  /** Phases to run; a phase left out is verified, not assumed, where a later one needs it. */
  readonly phases: readonly PhaseName[];
  /** Who started it, as asserted: `op-b@ops2`. */
  readonly startedBy: string;
  /** Why it was started, as the starter says: a change number. */
  readonly reason?: string;
  /** Whether its moments are recorded; clients start every run so. Decided by the input, so that it is the same at replay. */
  readonly audit?: boolean;
}

export type Day2Input = Omit<ProvisionInput, 'phases'>;

/** What a run is for; left out for provisioning. */
export type RunPurpose = keyof typeof DAY_2_WORKFLOW_TYPES;

export interface PlanInput {
  readonly spec: ServerSpec;
}

export type PhaseState = 'pending' | 'running' | 'waiting' | 'done' | 'skipped' | 'failed' | 'undone';

export interface StepStatus {
  readonly name: string;
  readonly state: 'running' | 'done' | 'unchanged' | 'failed' | 'undone';
  readonly summary: string;
  readonly startedAt: string;
  readonly seconds: number | null;
  /** What was read back, or found instead; null while it runs, and where it is longer than a report should carry. */
  readonly facts: Readonly<Record<string, unknown>> | null;
}

export interface PhaseStatus {
  readonly name: PhaseName;
  readonly state: PhaseState;
  /** What it did or waits for, one line; empty while pending. */
  readonly summary: string;
  readonly startedAt: string | null;
  readonly seconds: number | null;
  readonly steps: readonly StepStatus[];
}

/** One rung of the escalation ladder as it is planned or was taken. */
export interface RungStatus {
  readonly rung: 'wait' | 'look' | 'graceful' | 'power-cycle' | 'person';
  /** When it is (or was) taken, ISO 8601. */
  readonly at: string;
  readonly state: 'past' | 'now' | 'next' | 'unavailable';
}

export interface RebootStatus {
  /** 1 for the first reboot of the run. */
  readonly number: number;
  readonly purpose: 'forward' | 'undo';
  readonly oldBootId: string;
  readonly requestedAt: string | null;
  readonly leftAt: string | null;
  readonly outcome: BootOutcome | null;
  readonly ladder: readonly RungStatus[];
  /** Seconds a boot of this host usually takes, from its journal; null when unknown. */
  readonly usualSeconds: number | null;
  /** What the BMC said last. */
  readonly bmc: string | null;
  /** The last line at the serial console; null where it was not read or said nothing, absent in runs of older versions. */
  readonly console?: string | null;
}

export interface RunEvent {
  /** ISO 8601. */
  readonly at: string;
  readonly phase: PhaseName | null;
  /** Short stable word: `phase`, `step`, `gate`, `decision`, `reboot`, `left`, `back`, `rung`, `console`, `undo`, `failure`, `audit`, `outcome`. */
  readonly kind: string;
  readonly text: string;
}

export interface FailureReport {
  readonly type: FailureType | 'Cancelled' | 'Unknown';
  readonly message: string;
  readonly phase: PhaseName | null;
  readonly step: string | null;
}

/** What `status` answers, and with `outcome` set what the run's memo and result hold. */
export interface RunStatus {
  readonly purpose?: RunPurpose;
  readonly server: string;
  readonly site: string;
  readonly cluster: string;
  /** Decides which steps phase 8 has. */
  readonly acceptance: AcceptanceMode;
  readonly serial: string;
  readonly address: string;
  readonly runId: string;
  readonly startedBy: string;
  readonly startedAt: string;
  readonly now: string;
  /** Set when the run has ended, or is `needs-hands` now. */
  readonly outcome: Outcome | null;
  readonly endedAt: string | null;
  readonly phases: readonly PhaseStatus[];
  readonly question: OpenQuestion | null;
  readonly decisions: readonly Receipt[];
  /** The refusal of the newest signal that was refused; a signal has no caller to tell. */
  readonly lastRefusal: string | null;
  readonly plan: RebootPlan | null;
  readonly reboot: RebootStatus | null;
  /** As inventory and plan ask for them; null where the run does not say. */
  readonly versions: { readonly k3s: string; readonly cozystack: string } | null;
  /** Per device: how it was before anything was changed; null until preflight has read it. */
  readonly baseline: TruthBaseline | null;
  /** Per device: what was found after the boot. */
  readonly devices: TruthTable | null;
  readonly counts: { readonly forwardReboots: number; readonly undoReboots: number; readonly powerCycles: number };
  /** Seconds spent waiting for people. */
  readonly waitedSeconds: number;
  /** Undos that ran, newest last. */
  readonly compensations: readonly string[];
  /** Evidence kept outside of the history, oldest first. */
  readonly artifacts: readonly ArtifactRef[];
  readonly failure: FailureReport | null;
  /** What is true now, one line per area, for the final summary. */
  readonly findings: readonly { readonly area: string; readonly text: string }[];
  /** What to type, in order, when a person is needed. */
  readonly instructions: readonly string[];
  readonly events: readonly RunEvent[];
}
