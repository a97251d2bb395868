/**
 * Answers to a decision: `approved  …` or `refused   …`, in the same columns.
 * @module
 */
import { type Choice, kindOfQuestion, PAST, type Receipt } from '../run/questions.js';
import { hang } from './layout.js';
import { when } from './times.js';

const VERB_COLUMNS = 10;

/** What an approval sets going, by the question, where that is not the reboot gate. */
const APPROVED: Readonly<Record<string, string>> = {
  disks: 'The disks become storage in a few seconds.',
  decommission: 'The undo begins in a few seconds, and reboots at its end.',
};
const WHAT_NOW: Readonly<Record<Choice, string>> = {
  approve: 'Reboot in a few seconds.',
  reject: 'What was changed for it is taken back.',
  resume: 'The run goes on.',
};

export function renderReceipt(server: string, receipt: Receipt, now: string, width: number): string[] {
  const { gate, choice, digest, by, reason, at, duplicate } = receipt;
  const who = `by ${by} (asserted)${reason === '' ? '' : `, ${reason}`}`;
  const what = [server, gate, digest, who].filter((part) => part !== '').join(' ');
  const next = (choice === 'approve' ? APPROVED[kindOfQuestion(gate)] : undefined) ?? WHAT_NOW[choice];
  const then = duplicate ? `That was at ${when(at, now)}; nothing was done again.` : next;
  return verb(PAST[choice], `${what}. ${then}`, width);
}

export function renderRefusal(reason: string, width: number): string[] {
  return verb('refused', reason, width);
}

function verb(word: string, text: string, width: number): string[] {
  return hang(word.padEnd(VERB_COLUMNS), text, width);
}
