/**
 * Everything a person is asked is one thing, a question. `decide` is the one place that judges an answer; signal and update
 * are two ways to call it.
 * @module
 */

export type QuestionKind = 'reboot' | 'disks' | 'decommission' | 'parked' | 'needs-hands';
export type Choice = 'approve' | 'reject' | 'resume';

export interface QuestionRules {
  /** Which answers there are, and what each one means here. */
  readonly choices: Readonly<Partial<Record<Choice, string>>>;
  /** Whether the answer must name the digest of what is asked. */
  readonly needsDigest: boolean;
}

export const QUESTION_RULES: Readonly<Record<QuestionKind, QuestionRules>> = {
  reboot: { choices: { approve: 'reboot now', reject: 'take what was staged away again' }, needsDigest: true },
  disks: {
    choices: { approve: 'give these disks to storage', reject: 'touch no disk; the phase is parked' },
    needsDigest: true,
  },
  decommission: {
    choices: { approve: 'give the GPUs back to the host', reject: 'change nothing; the GPUs stay isolated' },
    needsDigest: true,
  },
  parked: { choices: { resume: 'try the phase again', reject: 'give the phase up' }, needsDigest: false },
  'needs-hands': { choices: { resume: 'verify the host again' }, needsDigest: false },
};

/** What people compare and type, of a SHA-256: its first 32 bits, `7f3a-91c2`. */
export const shortDigest = (sha256: string): string => `${sha256.slice(0, 4)}-${sha256.slice(4, 8)}`;

export interface OpenQuestion {
  /** Unique in the run: `reboot`, `reboot#2`, `disks`, `parked:cozystack`, `needs-hands`. */
  readonly id: string;
  readonly kind: QuestionKind;
  /** What is asked, for people. */
  readonly text: string;
  /** Eight hex digits in two groups, `7f3a-91c2`; empty where nothing is approved by content. */
  readonly digest: string;
  /** ISO 8601. */
  readonly openedAt: string;
  /** ISO 8601, or null when it never expires. */
  readonly expiresAt: string | null;
  /** How often people were reminded. */
  readonly reminders: number;
}

/** `reboot#2` is a reboot, `parked:cozystack` is parked. */
export const kindOfQuestion = (id: string): string => id.split(/[:#]/)[0] ?? id;

/** An answer as it arrives by signal or update. Field names are those people type in the Temporal UI. */
export interface Decision {
  /** Id of the question; `reboot` is enough for the open reboot question. */
  readonly gate: string;
  readonly digest?: string;
  readonly reason?: string;
  /** Who decides, as asserted by the client: open-source Temporal does not authenticate. */
  readonly by?: string;
}

export interface Receipt {
  readonly gate: string;
  readonly choice: Choice;
  readonly digest: string;
  readonly by: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly at: string;
  /** true when the same decision had been made before; nothing was done again. */
  readonly duplicate: boolean;
}

export type Verdict =
  { readonly kind: 'accepted'; readonly receipt: Receipt } | { readonly kind: 'refused'; readonly reason: string };

/** Longest reason that is kept; longer ones are refused, not cut. */
export const REASON_LIMIT = 1_000;

export interface DecideState {
  readonly open: OpenQuestion | null;
  /** Decisions of this run so far, oldest first. */
  readonly decided: readonly Receipt[];
  /** Digests that were asked earlier in this run and are void now, with the reason. */
  readonly voided: Readonly<Record<string, string>>;
  /** ISO 8601, of the workflow. */
  readonly now: string;
}

/** Judges an answer. Pure; never throws, whatever was sent. */
export function decide(choice: Choice, decision: unknown, state: DecideState): Verdict {
  const checked = checkDecision(decision);
  if (typeof checked === 'string') return refused(checked);
  const { gate, digest, reason, by } = checked;

  const earlier = state.decided.findLast((r) => sameGate(gate, r.gate) && (digest === '' || r.digest === digest));
  const { open } = state;
  if (open === null || !sameGate(gate, open.id)) {
    if (earlier !== undefined) return repeated(earlier, choice);
    return refused(
      open === null
        ? `nothing is being asked now, so "${gate}" cannot be decided. An early decision is not kept.`
        : `the open question is "${open.id}", not "${gate}".`,
    );
  }
  const rules = QUESTION_RULES[open.kind];
  if (rules.choices[choice] === undefined) {
    return refused(
      `"${open.id}" cannot be answered with ${choice}; possible: ${Object.keys(rules.choices).join(', ')}.`,
    );
  }
  if (rules.needsDigest && choice === 'approve') {
    if (digest === '') return refused(`the digest is missing: look at the plan and approve digest ${open.digest}.`);
    if (digest !== open.digest) {
      const why = state.voided[digest];
      return refused(
        why === undefined
          ? `digest ${digest} is not the one being asked, ${open.digest}: review that plan.`
          : `digest ${digest} is void: ${why}. New digest ${open.digest}: review it.`,
      );
    }
  }
  if (open.expiresAt !== null && state.now >= open.expiresAt)
    return refused(`"${open.id}" expired at ${open.expiresAt}.`);
  return {
    kind: 'accepted',
    receipt: { gate: open.id, choice, digest: open.digest, by, reason, at: state.now, duplicate: false },
  };
}

function repeated(earlier: Receipt, choice: Choice): Verdict {
  if (earlier.choice === choice) return { kind: 'accepted', receipt: { ...earlier, duplicate: true } };
  return refused(`already decided: ${PAST[earlier.choice]} by ${earlier.by} at ${earlier.at}. Nothing to do.`);
}

export const PAST: Readonly<Record<Choice, string>> = { approve: 'approved', reject: 'rejected', resume: 'resumed' };

/** `reboot` answers `reboot#2` too; the digest tells them apart. */
function sameGate(asked: string, id: string): boolean {
  return asked === id || id.startsWith(`${asked}#`);
}

function checkDecision(value: unknown): Required<Decision> | string {
  if (typeof value !== 'object' || value === null) {
    return `a decision is an object like {"gate":"reboot","digest":"7f3a-91c2","reason":"CHG-4711"}.`;
  }
  const { gate, digest, reason, by } = value as Record<string, unknown>;
  if (typeof gate !== 'string' || gate === '') return 'field gate is missing: it names the question, e.g. "reboot".';
  for (const [field, v] of Object.entries({ digest, reason, by })) {
    if (v !== undefined && typeof v !== 'string') return `field ${field} must be text, not ${typeof v}.`;
  }
  const text = (reason ?? '') as string;
  if (text.length > REASON_LIMIT) return `field reason has ${text.length} characters; at most ${REASON_LIMIT}.`;
  return { gate, digest: (digest ?? '') as string, reason: text, by: (by ?? 'unknown') as string };
}

function refused(reason: string): Verdict {
  return { kind: 'refused', reason };
}
