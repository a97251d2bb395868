/**
 * `approve`, `reject` and `resume`: one decision each, and a receipt or a refusal.
 * @module
 */
import { ClientError, type ProvisionClient } from '../../client.js';
import type { RunStatus } from '../../domain/run/messages.js';
import { EXIT, OUTCOMES } from '../../domain/run/outcomes.js';
import type { Choice, Decision, OpenQuestion } from '../../domain/run/questions.js';
import { renderReceipt, renderRefusal } from '../../domain/text/receipts.js';
import { questionInFull } from '../../domain/text/watch.js';
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

/** Without a digest the plan is shown and the server's name is typed, where somebody can; elsewhere only what was reviewed is approved. */
export function approve(deps: Deps, args: DecideArgs): Promise<number> {
  if (args.digest === undefined && (deps.io.terminal === null || args.json)) {
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
    const status = await newest(client, args.server);
    const asked = status === null ? [] : questionInFull(status, new Date().toISOString(), screen.width);
    if (choice !== 'resume' && !args.json && asked.length > 0) screen.progress([...asked, '']);
    const answer = await answerTo(status?.question ?? null, deps, choice, args);
    if (answer === null) {
      screen.progress(renderRefusal(`nothing was sent: to ${choice}, type ${args.server}`, screen.width));
      return EXIT.badInput;
    }
    const reason = args.reason ?? args.note;
    const decision: Decision = { ...answer, by: deps.io.identity, ...(reason === undefined ? {} : { reason }) };
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

/** null where it cannot be told: the decision itself then says what is wrong, in the words for a decision. */
async function newest(client: ProvisionClient, server: string): Promise<RunStatus | null> {
  try {
    return (await client.status(server)).status;
  } catch (error) {
    if (error instanceof ClientError) return null;
    throw error;
  }
}

/**
 * What is answered: an approval's digest says it, the others answer whatever is open. Without a digest the digest that was shown counts, once
 * the server's name was typed. null when it was not.
 */
async function answerTo(
  open: OpenQuestion | null,
  { io }: Deps,
  choice: Choice,
  { server, digest, gate, json }: DecideArgs,
): Promise<Pick<Decision, 'gate' | 'digest'> | null> {
  if (digest !== undefined) {
    const named = choice !== 'approve' || open?.digest === digest ? open?.id : undefined;
    return { gate: gate ?? named ?? USUAL_GATE[choice], digest };
  }
  const id = gate ?? open?.id ?? USUAL_GATE[choice];
  if (choice === 'resume' || open === null || io.terminal === null || json) return { gate: id };
  const typed = await io.terminal.ask(`type the server's name to ${choice} ${open.id} ${open.digest}: `);
  if (typed?.trim() !== server) return null;
  return { gate: id, ...(open.digest === '' ? {} : { digest: open.digest }) };
}
