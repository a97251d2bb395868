/**
 * What Temporal's UI shows on top of a run, in Markdown: where it is, what it waits for, and what to do.
 * @module
 */
import type { RunStatus } from '../run/messages.js';
import { OUTCOMES } from '../run/outcomes.js';
import { PHASES } from '../run/phases.js';
import { PAST } from '../run/questions.js';

const MARK = {
  pending: '·',
  running: '▶',
  waiting: '❗',
  done: '✔',
  skipped: '–',
  failed: '✘',
  undone: '↩',
} as const;

/** Temporal refuses details of more than 20 kB; a diff is left to the query `plan`. */
export function currentDetails(status: RunStatus): string {
  const lines: string[] = [];
  if (status.outcome !== null) lines.push(`**${status.outcome.toUpperCase()}**: ${OUTCOMES[status.outcome].means}`, '');
  if (status.failure !== null) lines.push(`**cause** ${status.failure.type}: ${plain(status.failure.message)}`, '');
  if (status.question !== null) lines.push(...questionLines(status), '');
  for (const instruction of status.instructions) lines.push(`1. ${plain(instruction)}`);
  if (status.instructions.length > 0) lines.push('', 'Do not terminate this run: that undoes nothing.', '');
  for (const phase of status.phases) {
    const { number, title } = PHASES.find((p) => p.name === phase.name) ?? { number: 0, title: phase.name };
    lines.push(`- ${MARK[phase.state]} ${number} **${title}** ${plain(phase.summary)}`);
  }
  if (status.lastRefusal !== null) lines.push('', `Last signal was refused: ${plain(status.lastRefusal)}`);
  const last = status.decisions.at(-1);
  if (last !== undefined)
    lines.push('', `Last decision: ${last.gate} ${PAST[last.choice]} by ${plain(last.by)} at ${last.at}`);
  return lines.join('\n');
}

function questionLines(status: RunStatus): readonly string[] {
  const { question, plan, server } = status;
  if (question === null) return [];
  const lines = [`### Question \`${question.id}\``, plain(question.text)];
  if (question.kind === 'reboot' && plan !== null) {
    lines.push(
      '',
      `- digest \`${plan.digest}\`, expires ${question.expiresAt ?? 'never'}`,
      `- ${plan.files.length} files, ${plan.imagesRebuilt} images rebuilt`,
      `- ${plan.devices.length} GPUs: ${[...new Set(plan.devices.map((d) => d.driver ?? 'no driver'))].join(', ')} -> vfio-pci`,
      `- if it fails, the next boot is the one that runs now: by itself within ${Math.round(plan.deadManSeconds / 60)} min, else by one BMC power cycle`,
      `- for undo only: ${plan.allows.reboots} more reboots, ${plan.allows.powerCycles} power cycles`,
      ...plan.warnings.map((warning) => `- warning: ${plain(warning)}`),
      '',
      `Signal \`approve\`: \`{"gate":"reboot","digest":"${plan.digest}","reason":"CHG-4711"}\``,
      '',
      `or \`gpu-provision approve ${server} --digest ${plan.digest} --reason CHG-4711\``,
    );
  } else {
    lines.push(
      '',
      `\`gpu-provision resume ${server}\`${question.kind === 'parked' ? ` or \`gpu-provision reject ${server}\`` : ''}`,
    );
  }
  return lines;
}

/** Text of hosts and people must not become markup. */
function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').replace(/([`*_<>[\]#|])/g, '\\$1');
}
