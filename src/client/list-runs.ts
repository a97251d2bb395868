/**
 * All runs, from Temporal's visibility store and the ends of histories alone: no worker is asked.
 * @module
 */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { SEARCH_ATTRIBUTES, serverOfWorkflow, WORKFLOW_TYPE } from '../domain/run/messages.js';
import type { ListedRun } from '../domain/run/view.js';
import { ATTRIBUTE, knownRun, STATES } from './known-run.js';

export interface ListFilter {
  /** Also runs that are over, as long as the namespace keeps them. */
  readonly all?: boolean;
  /** Only of this site. */
  readonly site?: string;
}

/** A list is read by people; whoever has more runs asks for one site. */
export const LISTED_RUNS_LIMIT = 1_000;
/** While a question is open a run does next to nothing: reminders, refused signals. */
const EVENTS_LOOKED_AT = 200;

/** The newest first. Those that are over only with `all`. */
export async function listRuns(client: Client, filter: ListFilter): Promise<readonly ListedRun[]> {
  const runs: WorkflowExecutionInfo[] = [];
  for await (const run of client.workflow.list({ query: queryOf(filter), pageSize: LISTED_RUNS_LIMIT })) {
    runs.push(run);
    if (runs.length === LISTED_RUNS_LIMIT) break;
  }
  return Promise.all(
    runs.map(async (run): Promise<ListedRun> => {
      const known = knownRun(run);
      const workflow = STATES[run.status.name] ?? 'terminated';
      const asks = workflow === 'running' && known.gate !== null;
      return {
        server: run.typedSearchAttributes.get(ATTRIBUTE.server) ?? serverOfWorkflow(run.workflowId) ?? run.workflowId,
        workflow,
        known,
        gateOpenedAt: asks ? await gateOpenedAt(client, run) : null,
      };
    }),
  );
}

/** Source: docs.temporal.io/list-filter. A quote within a text is doubled. */
export function queryOf({ all = false, site }: ListFilter): string {
  const conditions = [
    `WorkflowType = '${WORKFLOW_TYPE}'`,
    ...(all ? [] : [`ExecutionStatus = 'Running'`]),
    ...(site === undefined ? [] : [`${SEARCH_ATTRIBUTES.site} = '${site.replaceAll("'", "''")}'`]),
  ];
  return conditions.join(' AND ');
}

/** The run's newest change of the attribute opened the question that is open. null where that is too long ago to be looked for. */
export async function gateOpenedAt(
  client: Client,
  { workflowId, runId }: Pick<WorkflowExecutionInfo, 'workflowId' | 'runId'>,
): Promise<string | null> {
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: EVENTS_LOOKED_AT,
  });
  const opened = history?.events?.find(({ upsertWorkflowSearchAttributesEventAttributes: change }) =>
    Object.hasOwn(change?.searchAttributes?.indexedFields ?? {}, SEARCH_ATTRIBUTES.gate),
  );
  const seconds = opened?.eventTime?.seconds;
  return seconds === undefined || seconds === null ? null : new Date(Number(seconds) * 1_000).toISOString();
}
