/**
 * What Temporal's UI shows on top of a run, in Markdown. It is written when the run does something and then stays, so it
 * holds moments and no running times.
 * @module
 */
import type { RunStatus } from '../run/messages.js';
import { renderEnding } from './summary.js';
import { openQuestion, refusal } from './watch.js';
import { renderPhases } from './phase-lines.js';

/** As wide as a code block of the UI is on a laptop. */
const COLUMNS = 100;

export function currentDetails(status: RunStatus): string {
  const lines = renderPhases(status, null, COLUMNS);
  if (status.outcome !== null) lines.push('', ...renderEnding(status, status.outcome, status.now, COLUMNS));
  else if (status.question !== null) lines.push('', ...openQuestion(status, null, COLUMNS, false));
  if (status.lastRefusal !== null) lines.push(...refusal(status.lastRefusal, COLUMNS));
  return `\`\`\`\n${lines.map(inBlock).join('\n')}\n\`\`\``;
}

/** Text from a host must not end the block. */
function inBlock(line: string): string {
  return line.replaceAll('`', "'");
}
