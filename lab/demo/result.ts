/**
 * What the run was, for programs: the last line of `--json`.
 * @module
 */
import { Connection } from '@temporalio/client';
import { workflowId } from '../../src/domain/run/messages.js';
import { outcomeOf, type RunView } from '../../src/domain/run/view.js';

export interface DemoResult {
  readonly outcome: string | null;
  readonly server: string;
  readonly phases: readonly { readonly name: string; readonly outcome: string; readonly seconds: number | null }[];
  /** Forward and undo. */
  readonly reboots: number;
  /** Undos that ran. */
  readonly compensations: number;
  readonly historyEvents: number;
}

export async function resultOf(view: RunView, address: string, namespace: string): Promise<DemoResult> {
  const { status } = view;
  return {
    outcome: outcomeOf(view),
    server: view.server,
    phases: (status?.phases ?? []).map(({ name, state, seconds }) => ({ name, outcome: state, seconds })),
    reboots: (status?.counts.forwardReboots ?? 0) + (status?.counts.undoReboots ?? 0),
    compensations: status?.compensations.length ?? 0,
    historyEvents: await historyLength(view, address, namespace),
  };
}

async function historyLength(view: RunView, address: string, namespace: string): Promise<number> {
  const connection = await Connection.connect({ address });
  try {
    const { workflowExecutionInfo } = await connection.workflowService.describeWorkflowExecution({
      namespace,
      execution: { workflowId: workflowId(view.server), runId: view.known.runId },
    });
    return Number(workflowExecutionInfo?.historyLength ?? 0);
  } finally {
    await connection.close();
  }
}
