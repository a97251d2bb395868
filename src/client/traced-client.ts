/**
 * The client with spans: what it does to a run is in the run's trace, whoever does it and wherever. Loaded only where spans are wanted.
 * @module
 */
import type { Day2Input, ProvisionInput, RunPurpose } from '../domain/run/messages.js';
import { workflowId } from '../domain/run/messages.js';
import type { PlanPreview } from '../domain/preflight.js';
import type { Choice, Decision, Receipt } from '../domain/run/questions.js';
import type { ServerSpec } from '../domain/spec.js';
import type { VerifyInput, VerifyReport } from '../domain/verify.js';
import type { StartedRun } from '../client.js';
import { asRoot, clientInterceptors, closeTracing, traceOf } from '../tracing/client.js';
import { TemporalProvisionClient } from './temporal-client.js';

export const interceptors = clientInterceptors;

export class TracedProvisionClient extends TemporalProvisionClient {
  override start(input: ProvisionInput, options: { readonly attach?: boolean } = {}): Promise<StartedRun> {
    return begin('start', input.spec.name, () => super.start(input, options));
  }

  override startDay2(purpose: RunPurpose, input: Day2Input): Promise<StartedRun> {
    return begin(purpose, input.spec.name, () => super.startDay2(purpose, input));
  }

  override plan(spec: ServerSpec): Promise<PlanPreview> {
    return begin('plan', spec.name, () => super.plan(spec));
  }

  override verify(input: VerifyInput): Promise<VerifyReport> {
    return begin('verify', input.spec.name, () => super.verify(input));
  }

  override decide(server: string, choice: Choice, decision: Decision): Promise<Receipt> {
    return this.join(choice, server, () => super.decide(server, choice, decision));
  }

  override cancel(server: string): Promise<void> {
    return this.join('cancel', server, () => super.cancel(server));
  }

  override async close(): Promise<void> {
    await super.close();
    await closeTracing();
  }

  /** In the trace of the run. Where that cannot be read the call says why, and its span is a trace of its own. */
  private async join<T>(verb: string, server: string, body: () => Promise<T>): Promise<T> {
    const { namespace } = this.client.options;
    const first = { namespace, execution: { workflowId: workflowId(server) }, maximumPageSize: 1 };
    const started = await this.client
      .withDeadline(Date.now() + HISTORY_LIMIT_MS, () => this.client.workflowService.getWorkflowExecutionHistory(first))
      .then(({ history }) => history?.events?.[0]?.workflowExecutionStartedEventAttributes)
      .catch(() => null);
    const parent = started ? traceOf(started.originalExecutionRunId ?? '', started.header?.fields) : null;
    return asRoot(`gpu-provision ${verb}`, { 'gpu_provision.server': server }, parent, body);
  }
}

/** A decision does not wait long for the name of its trace. */
const HISTORY_LIMIT_MS = 2_000;

function begin<T>(verb: string, server: string, body: () => Promise<T>): Promise<T> {
  return asRoot(`gpu-provision ${verb}`, { 'gpu_provision.server': server }, null, body);
}
