/**
 * A run's state, its messages, and what people see of it. Nothing here decides what happens next.
 * @module
 */
import {
  defineQuery,
  defineSignal,
  defineUpdate,
  log,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
  ApplicationFailure,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { RebootPlan } from '../domain/boot/plan.js';
import type { AuditEntry } from '../domain/run/announcement.js';
import { isSameArtifact, type ArtifactRef } from '../domain/run/artifacts.js';
import type { TruthBaseline, TruthTable } from '../domain/gpu/truth-table.js';
import {
  MESSAGES,
  QUERIES,
  SEARCH_ATTRIBUTES,
  type FailureReport,
  type PhaseState,
  type PhaseStatus,
  type ProvisionInput,
  type RebootStatus,
  type RunEvent,
  type RunPurpose,
  type RunStatus,
  type StepStatus,
} from '../domain/run/messages.js';
import type { Outcome } from '../domain/run/outcomes.js';
import { PHASES, type PhaseName } from '../domain/run/phases.js';
import {
  decide,
  PAST,
  QUESTION_RULES,
  type Choice,
  type Decision,
  type OpenQuestion,
  type Receipt,
} from '../domain/run/questions.js';
import type { RunRef, StepResult } from '../domain/run/steps.js';
import { currentDetails } from '../domain/text/current-details.js';
import { observe } from './metrics.js';

/** Enough for a whole run with every fault; older ones are in Temporal's history. */
const EVENT_LIMIT = 300;

const attribute = {
  phase: defineSearchAttributeKey(SEARCH_ATTRIBUTES.phase, 'KEYWORD'),
  gate: defineSearchAttributeKey(SEARCH_ATTRIBUTES.gate, 'KEYWORD'),
  outcome: defineSearchAttributeKey(SEARCH_ATTRIBUTES.outcome, 'KEYWORD'),
};

interface MutablePhase {
  state: PhaseState;
  summary: string;
  startedAt: string | null;
  seconds: number | null;
  steps: StepStatus[];
}

/** What preflight found and later phases compare with. */
export interface Facts {
  baseline: TruthBaseline;
  earlierBootSeconds: readonly number[];
}

export class Run {
  readonly id = workflowInfo().runId;
  readonly startedAt = now();
  epoch = 1;
  facts: Facts | null = null;
  outcome: Outcome | null = null;
  endedAt: string | null = null;
  question: OpenQuestion | null = null;
  /** The accepted answer to the open question; `ask` takes it away. */
  answer: Receipt | null = null;
  plan: RebootPlan | null = null;
  rebootStatus: RebootStatus | null = null;
  truthTable: TruthTable | null = null;
  readonly counts = { forwardReboots: 0, undoReboots: 0, powerCycles: 0 };
  readonly compensations: string[] = [];
  readonly artifacts: ArtifactRef[] = [];
  failure: FailureReport | null = null;
  findings: { area: string; text: string }[] = [];
  instructions: string[] = [];
  waitedSeconds = 0;
  cordonedAt: string | null = null;
  /** The boot that undo's own reboot ended in. */
  ordinaryBootId: string | null = null;
  currentPhase: PhaseName | null = null;
  currentStep: string | null = null;
  /** How many readings of the console have not ended. */
  readingConsole = 0;
  /** How many announcements were begun, and how many of them are still being sent. */
  announced = 0;
  announcing = 0;
  /** How many lines of the audit record were begun, and those that are not written yet. */
  recorded = 0;
  readonly unwritten: AuditEntry[] = [];
  readonly decisions: Receipt[] = [];
  readonly voided: Record<string, string> = {};
  /** How often each question was asked, by its name. */
  private readonly asked = new Map<string, number>();
  private lastRefusal: string | null = null;
  private readonly events: RunEvent[] = [];
  private readonly phases = new Map<PhaseName, MutablePhase>();

  constructor(
    readonly input: ProvisionInput,
    private readonly purpose?: RunPurpose,
  ) {
    for (const { name } of PHASES) {
      const state = this.selected(name) ? 'pending' : 'skipped';
      this.phases.set(name, { state, summary: '', startedAt: null, seconds: null, steps: [] });
    }
  }

  get ref(): RunRef {
    return { id: this.id, epoch: this.epoch };
  }

  /** Argument of every step activity. */
  get step(): { spec: ProvisionInput['spec']; run: RunRef } {
    return { spec: this.input.spec, run: this.ref };
  }

  get site(): string {
    return this.input.spec.site;
  }

  selected(phase: PhaseName): boolean {
    return phase === 'preflight' || this.input.phases.includes(phase);
  }

  event(kind: string, text: string): void {
    this.events.push({ at: now(), phase: this.currentPhase, kind, text: text.slice(0, 500) });
    if (this.events.length > EVENT_LIMIT) this.events.shift();
    log.info(text, { server: this.input.spec.name, phase: this.currentPhase, kind });
    this.show();
  }

  beginPhase(name: PhaseName): void {
    const phase = this.phase(name);
    this.currentStep = null;
    phase.startedAt ??= now();
    phase.state = 'running';
    phase.seconds = null;
    this.currentPhase = name;
    upsertSearchAttributes([{ key: attribute.phase, value: name }]);
    this.event('phase', `${name} begins`);
  }

  setPhase(name: PhaseName, state: PhaseState, summary?: string): void {
    const phase = this.phase(name);
    phase.state = state;
    if (summary !== undefined) phase.summary = summary;
    if (state === 'done' || state === 'failed' || state === 'undone') {
      phase.seconds = phase.startedAt === null ? null : secondsSince(phase.startedAt);
      const labels = { site: this.site, phase: name, outcome: state };
      if (phase.seconds !== null) observe('gpu_provision_phase_duration_seconds', phase.seconds, labels);
      this.event('phase', `${name} ${state}${summary === undefined ? '' : `: ${summary}`}`);
    } else {
      this.show();
    }
  }

  phaseState(name: PhaseName): PhaseState {
    return this.phase(name).state;
  }

  beginStep(name: string, summary: string): void {
    const steps = this.stepsOfCurrentPhase();
    const again = steps.findIndex((s) => s.name === name);
    if (again >= 0) steps.splice(again, 1);
    steps.push({ name, state: 'running', summary, startedAt: now(), seconds: null, facts: null });
    this.currentStep = name;
    this.show();
  }

  endStep(name: string, state: StepStatus['state'], { summary, facts }: Pick<StepResult, 'summary' | 'facts'>): void {
    const steps = this.stepsOfCurrentPhase();
    if (state !== 'failed') this.currentStep = null;
    const at = steps.findIndex((s) => s.name === name);
    const step = steps[at];
    if (step !== undefined)
      steps[at] = { ...step, state, summary, seconds: secondsSince(step.startedAt), facts: kept(facts) };
    this.event('step', `${name} ${state}: ${summary}`);
  }

  /** What an activity says that it kept. */
  keep(artifacts: readonly ArtifactRef[] = []): void {
    for (const artifact of artifacts) {
      if (!this.artifacts.some((known) => isSameArtifact(known, artifact))) this.artifacts.push(artifact);
    }
  }

  /** Unique in the run: `reboot`, then `reboot#2`. */
  questionId(name: string): string {
    const times = (this.asked.get(name) ?? 0) + 1;
    this.asked.set(name, times);
    return times === 1 ? name : `${name}#${times}`;
  }

  openQuestion(question: OpenQuestion): void {
    this.question = question;
    this.answer = null;
    upsertSearchAttributes([{ key: attribute.gate, value: question.id }]);
    this.event('gate', `${question.id} asks: ${question.text}`);
  }

  closeQuestion(): void {
    if (this.question !== null) {
      const seconds = secondsSince(this.question.openedAt);
      this.waitedSeconds += seconds;
      const labels = { site: this.site, question: this.question.kind, answer: this.answer?.choice ?? 'none' };
      observe('gpu_provision_question_wait_seconds', seconds, labels);
    }
    this.question = null;
    this.answer = null;
    upsertSearchAttributes([{ key: attribute.gate, value: null }]);
    this.show();
  }

  setOutcome(outcome: Outcome | null): void {
    this.outcome = outcome;
    this.endedAt = outcome === null ? null : now();
    upsertSearchAttributes([{ key: attribute.outcome, value: outcome }]);
    // Read by those who find no worker: describe works without one.
    upsertMemo({
      outcome,
      failure: this.failure === null ? null : `${this.failure.type}: ${this.failure.message.slice(0, 500)}`,
    });
    if (outcome !== null) this.event('outcome', outcome);
    if (outcome !== null && outcome !== 'needs-hands') {
      observe('gpu_provision_run_duration_seconds', secondsSince(this.startedAt), { site: this.site, outcome });
    }
    this.show();
  }

  /** Every handler, before the first await: an early message is judged, never lost. */
  listen(): void {
    const receive = (choice: Choice, decision: unknown): Receipt => {
      const verdict = this.judge(choice, decision);
      if (verdict.kind === 'refused') throw ApplicationFailure.nonRetryable(verdict.reason, 'DecisionRefused');
      this.take(verdict.receipt);
      return verdict.receipt;
    };
    for (const choice of Object.values(MESSAGES)) {
      const description = DESCRIPTIONS[choice];
      setHandler(defineUpdate<Receipt, [Decision]>(choice), (decision) => receive(choice, decision), {
        description,
        // Synchronous on purpose: an async validator would hang the caller and wedge the workflow.
        validator: (decision) => {
          const verdict = this.judge(choice, decision);
          if (verdict.kind === 'refused') throw ApplicationFailure.nonRetryable(verdict.reason, 'DecisionRefused');
        },
      });
      // A signal has no caller to tell: a refusal shows in the status and the current details.
      setHandler(
        defineSignal<[Decision]>(choice),
        (decision) => {
          const verdict = this.judge(choice, decision);
          if (verdict.kind === 'accepted') return this.take(verdict.receipt);
          this.lastRefusal = `${choice}: ${verdict.reason}`;
          this.event('refusal', this.lastRefusal);
        },
        { description },
      );
    }
    setHandler(defineQuery<RunStatus>(QUERIES.status), () => this.status(), {
      description: 'Everything about this run',
    });
    setHandler(defineQuery<RebootPlan | null>(QUERIES.plan), () => this.plan, {
      description: 'What the reboot question asks for',
    });
    setHandler(defineQuery<TruthTable | null>(QUERIES.evidence), () => this.truthTable, {
      description: 'Per device: what was found after the boot',
    });
  }

  status(): RunStatus {
    const { spec } = this.input;
    return {
      ...(this.purpose === undefined ? {} : { purpose: this.purpose }),
      server: spec.name,
      site: spec.site,
      cluster: spec.cluster.name,
      acceptance: spec.cluster.acceptance,
      serial: spec.serial,
      address: spec.ssh.host,
      runId: this.id,
      startedBy: this.input.startedBy,
      startedAt: this.startedAt,
      now: now(),
      outcome: this.outcome,
      endedAt: this.endedAt,
      phases: PHASES.map(({ name }): PhaseStatus => ({
        name,
        ...this.phase(name),
        steps: [...this.phase(name).steps],
      })),
      question: this.question,
      decisions: [...this.decisions],
      lastRefusal: this.lastRefusal,
      plan: this.plan,
      reboot: this.rebootStatus,
      versions: { k3s: spec.cluster.k3s.version, cozystack: spec.cluster.cozystack.version },
      baseline: this.facts?.baseline ?? null,
      devices: this.truthTable,
      counts: { ...this.counts },
      waitedSeconds: this.waitedSeconds,
      compensations: [...this.compensations],
      artifacts: [...this.artifacts],
      failure: this.failure,
      findings: [...this.findings],
      instructions: [...this.instructions],
      events: [...this.events],
    };
  }

  private judge(choice: Choice, decision: unknown): ReturnType<typeof decide> {
    // Once answered, the question is closed for everybody else, even before the workflow has moved on.
    const open = this.answer === null ? this.question : null;
    return decide(choice, decision, { open, decided: this.decisions, voided: this.voided, now: now() });
  }

  private take(receipt: Receipt): void {
    if (receipt.duplicate) return;
    this.decisions.push(receipt);
    this.answer = receipt;
    this.lastRefusal = null;
    const why = receipt.reason === '' ? '' : ` (${receipt.reason})`;
    this.event('decision', `${receipt.gate} ${PAST[receipt.choice]} by ${receipt.by}${why}`);
  }

  private stepsOfCurrentPhase(): StepStatus[] {
    return this.phase(this.currentPhase ?? 'preflight').steps;
  }

  private phase(name: PhaseName): MutablePhase {
    const phase = this.phases.get(name);
    if (phase === undefined) throw new RangeError(`no phase named ${name}`);
    return phase;
  }

  private show(): void {
    setCurrentDetails(currentDetails(this.status()));
  }
}

const DESCRIPTIONS: Readonly<Record<Choice, string>> = {
  approve: `Approve the open question: {"gate":"reboot","digest":"7f3a-91c2","reason":"CHG-4711"} (${Object.keys(QUESTION_RULES).join(', ')})`,
  reject: 'Reject the open question, or give a parked phase up: {"gate":"reboot","reason":"not today"}',
  resume:
    'Try a parked phase again, or have the host verified again after hands-on work: {"gate":"needs-hands","reason":"..."}',
};

/** Preflight's facts are many, and its findings are in the plan. */
const FACTS_LIMIT = 4_000;

function kept(facts: StepResult['facts']): StepStatus['facts'] {
  return facts === undefined || JSON.stringify(facts).length > FACTS_LIMIT ? null : facts;
}

/** The workflow's clock: the same at replay. */
export function now(): string {
  return new Date().toISOString();
}

export function secondsSince(iso: string): number {
  return Math.max(0, Math.round((Date.now() - Date.parse(iso)) / 1_000));
}
