/**
 * How a run is started: under which id, and with what in memo, search attributes and summaries.
 * @module
 */
import type { WorkflowStartOptions } from '@temporalio/client';
import {
  type Day2Input,
  type ProvisionInput,
  type RunPurpose,
  WORKFLOW_QUEUE,
  workflowId,
} from '../domain/run/messages.js';
import { phaseOf } from '../domain/run/phases.js';
import { ATTRIBUTE } from './known-run.js';

export function startOptions(input: ProvisionInput, attach: boolean): WorkflowStartOptions {
  const { spec, startedBy, phases } = input;
  const { memo, ...common } = lockedOptions(input, attach);
  return {
    ...common,
    args: [{ ...input, audit: true } satisfies ProvisionInput],
    staticSummary: `provision ${spec.name} (${spec.cluster.name}), started by ${startedBy}`,
    staticDetails: details(input),
    memo: { ...memo, phases },
  };
}

const DAY_2: Readonly<Record<RunPurpose, (input: Day2Input) => string>> = {
  decommission: ({ spec }) => `GPUs: ${spec.gpus.addresses.length} (${spec.gpus.id}) back to the host's own drivers`,
  'upgrade-kernel': () => 'a newer kernel beside the one that is proven, and one reboot into it',
  reboot: () => 'one reboot into the proven entry, which is proven once more',
};

export function day2Options(purpose: RunPurpose, input: Day2Input): WorkflowStartOptions {
  const { spec, startedBy, reason = '' } = input;
  return {
    ...lockedOptions(input, false),
    args: [{ ...input, audit: true } satisfies Day2Input],
    staticSummary: `${purpose} ${spec.name} (${spec.cluster.name}), started by ${startedBy}`,
    staticDetails: [
      `**${spec.name}** serial ${spec.serial}, ${spec.ssh.host}, site ${spec.site}, cluster ${spec.cluster.name}`,
      `- ${DAY_2[purpose](input)}`,
      `- started by ${startedBy} (asserted)${reason === '' ? '' : `: ${reason}`}`,
    ].join('\n'),
  };
}

/** Of whatever changes a server: one at a time. */
function lockedOptions(
  { spec, startedBy, reason = '' }: Day2Input,
  attach: boolean,
): Omit<WorkflowStartOptions, 'args'> {
  return {
    workflowId: workflowId(spec.name),
    taskQueue: WORKFLOW_QUEUE,
    // The id is the lock. Never TERMINATE_EXISTING: a terminated run undoes nothing.
    workflowIdConflictPolicy: attach ? 'USE_EXISTING' : 'FAIL',
    // A second run over a finished server is how one checks and converges it.
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    typedSearchAttributes: [
      { key: ATTRIBUTE.server, value: spec.name },
      { key: ATTRIBUTE.site, value: spec.site },
    ],
    memo: {
      startedBy,
      site: spec.site,
      cluster: spec.cluster.name,
      serial: spec.serial,
      address: spec.ssh.host,
      reason,
    },
  };
}

/** Markdown for the Temporal UI. */
function details({ spec, phases, startedBy, reason = '' }: ProvisionInput): string {
  return [
    `**${spec.name}** serial ${spec.serial}, ${spec.ssh.host}, site ${spec.site}, cluster ${spec.cluster.name}`,
    '',
    `- phases: ${phases.map((name) => `${phaseOf(name).number} ${phaseOf(name).title}`).join(', ')}`,
    `- boot strategy: ${spec.boot.strategy}; BMC: ${spec.bmc.kind}`,
    `- GPUs: ${spec.gpus.addresses.length} (${spec.gpus.id}) to vfio-pci, offered as ${spec.gpus.resource}`,
    `- started by ${startedBy} (asserted)${reason === '' ? '' : `: ${reason}`}`,
    '',
    `Cancel undoes the phase it hits. Terminate and reset undo nothing: don't use them.`,
  ].join('\n');
}
