/**
 * Asking a person to approve exactly what is there, by its digest. What has changed by the time of the answer is asked about anew.
 * @module
 */
import { fail } from './failure.js';
import { ask } from './question.js';
import type { Run } from './run.js';

/** How often a plan that drifted is put to the question again. */
const PLANS = 10;

export interface Approval<Plan extends { readonly digest: string }> {
  readonly kind: 'reboot' | 'disks' | 'decommission';
  /** What would be approved, as it is now. */
  readonly read: () => Promise<Plan>;
  /** True for a plan that needs nobody's approval. */
  readonly isNothing?: (plan: Plan) => boolean;
  /** Called before a plan is asked about. */
  readonly show: (plan: Plan) => void;
  readonly text: (plan: Plan) => string;
  /** Why an approval of the first is void for the second. */
  readonly difference: (before: Plan, now: Plan) => string;
  /** The plan to ask about after one that changed; what was read then, if nothing has to be done first. */
  readonly renew?: (before: Plan, now: Plan) => Promise<Plan>;
  /** Begin of the failure's message: `disks rejected`. */
  readonly rejected: string;
  readonly changedTooOften: (times: number) => string;
}

/** Asks until a plan is approved that is still true at that moment. Throws Rejected, Expired or Drifted. */
export async function approved<Plan extends { readonly digest: string }>(
  run: Run,
  approval: Approval<Plan>,
): Promise<Plan> {
  const { boot } = run.input.spec;
  let plan = await approval.read();
  for (let n = 1; n <= PLANS; n += 1) {
    if (approval.isNothing?.(plan) === true) return plan;
    approval.show(plan);
    let now = plan;
    const unchanged = async (): Promise<boolean> => {
      now = await approval.read();
      return now.digest === plan.digest;
    };
    const receipt = await ask(run, {
      name: approval.kind,
      kind: approval.kind,
      text: approval.text(plan),
      digest: plan.digest,
      expiresSeconds: boot.approvalExpiresSeconds,
      reminderSeconds: boot.approvalReminderSeconds,
      stillValid: unchanged,
    });
    if (receipt?.choice === 'reject') {
      throw fail(
        'Rejected',
        `${approval.rejected} by ${receipt.by}${receipt.reason === '' ? '' : `: ${receipt.reason}`}`,
      );
    }
    // Between the answer and the act the world may have moved: what was approved must still be what is there.
    if (receipt !== null && (await unchanged())) return plan;
    const why = approval.difference(plan, now);
    run.voided[plan.digest] = why;
    run.event('drift', `digest ${plan.digest} is void: ${why}. New digest ${now.digest}`);
    plan = (await approval.renew?.(plan, now)) ?? now;
  }
  throw fail('Drifted', approval.changedTooOften(PLANS));
}
