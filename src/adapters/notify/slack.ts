/**
 * The body of Slack's incoming webhooks.
 * @module
 */
import type { Announcement } from '../../domain/run/announcement.js';

/** The text as it is, in a block of fixed width. What a host said can neither end the block nor name `<!channel>`. */
export function slackMessage({ title, text }: Announcement): { readonly text: string } {
  const details = text.split('\n\n').slice(1).join('\n\n');
  return { text: details === '' ? escaped(title) : `${escaped(title)}\n\`\`\`\n${escaped(details)}\n\`\`\`` };
}

/** Source: https://docs.slack.dev/messaging/formatting-message-text#escaping */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('`', "'");
}
