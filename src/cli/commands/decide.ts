/**
 * `approve`, `reject` and `resume`: one decision each, and a receipt or a refusal.
 * @module
 */
import { ClientError, type ProvisionClient } from '../../client.js';
import { EXIT, OUTCOMES } from '../../domain/run/outcomes.js';
import type { Choice, Decision, OpenQuestion } from '../../domain/run/questions.js';
import { renderReceipt, renderRefusal } from '../../domain/text/receipts.js';
import { type CommonArgs, connected, type Deps } from '../deps.js';
import { UsageError } from '../exit.js';
import { Screen } from '../screen.js';

export interface DecideArgs extends CommonArgs {
  readonly server: string;
  readonly digest?: string;
  readonly gate?: string;
  readonly reason?: string;
  /** The same, as `resume` calls it. */
  readonly note?: string;
}

export function approve(deps: Deps, args: DecideArgs): Promise<number> {
  if (args.digest === undefined) {
    throw new UsageError(
      `--digest is missing: review the plan (gpu-provision status ${args.server}) and approve its digest`,
    );
  }
  return decide(deps, 'approve', args);
}

export function reject(deps: Deps, args: DecideArgs): Promise<number> {
  return decide(deps, 'reject', args);
}

export function resume(deps: Deps, args: DecideArgs): Promise<number> {
  return decide(deps, 'resume', args);
}

async function decide(deps: Deps, choice: Choice, args: DecideArgs): Promise<number> {
  const screen = new Screen(deps.io, args);
  return connected(deps, async (client) => {
    const reason = args.reason ?? args.note;
    const decision: Decision = {
      gate: args.gate ?? (await gateOf(client, choice, args)),
      by: deps.io.identity,
      ...(args.digest === undefined ? {} : { digest: args.digest }),
      ...(reason === undefined ? {} : { reason }),
    };
    try {
      const receipt = await client.decide(args.server, choice, decision);
      if (args.json) screen.resultJson(receipt);
      else screen.result(renderReceipt(args.server, receipt, receipt.at, screen.width));
      return EXIT.done;
    } catch (error) {
      if (!(error instanceof ClientError) || error.kind !== 'refused') throw error;
      if (args.json) screen.resultJson({ refused: error.message });
      else screen.progress(renderRefusal(error.message, screen.width));
      return OUTCOMES.refused.exit;
    }
  });
}

/** What to name where nothing is open: the run then says so itself, or that it was decided already. */
const USUAL_GATE: Readonly<Record<Choice, OpenQuestion['id']>> = {
  approve: 'reboot',
  reject: 'reboot',
  resume: 'needs-hands',
};

/** An approval names its digest, which says what it is for. The others answer whatever is open. */
async function gateOf(client: ProvisionClient, choice: Choice, { server, digest }: DecideArgs): Promise<string> {
  if (choice !== 'approve') return (await client.status(server)).status?.question?.id ?? USUAL_GATE[choice];
  try {
    const question = (await client.status(server)).status?.question ?? null;
    return question !== null && question.digest === digest ? question.id : USUAL_GATE.approve;
  } catch (error) {
    // The decision itself says what is wrong, in the words for a decision.
    if (error instanceof ClientError) return USUAL_GATE.approve;
    throw error;
  }
}
