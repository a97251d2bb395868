/**
 * Webhooks: JSON of our own, signed, and Slack's incoming webhooks, which Mattermost and others take too.
 * @module
 */
import type { Announcement } from '../../domain/run/announcement.js';
import type { NotifySpec, SecretRef } from '../../domain/spec.js';
import { ProvisionError } from '../../ports/failure.js';
import type { Notifier } from '../../ports/notifier.js';
import type { SecretSource } from '../../ports/secrets.js';
import { inSpan } from '../../tracing/span.js';
import { SIGNATURE_HEADER, signature } from './signature.js';
import { slackMessage } from './slack.js';

/** Receivers only take note; one that works first is behind a queue. */
const ANSWER_LIMIT_MS = 15_000;
/** Of those that mean "not now", the ones below 500: time-out, too early, too many. */
const NOT_NOW: readonly number[] = [408, 425, 429];

export interface NotifierOptions {
  readonly secrets: SecretSource;
  readonly answerLimitMs?: number;
}

export function createNotifier({ secrets, answerLimitMs = ANSWER_LIMIT_MS }: NotifierOptions): Notifier {
  return {
    async send(receiver, announcement, signal) {
      const url = await readUrl(secrets, receiver.url);
      const { body, headers } = await requestFor(secrets, receiver, announcement);
      const either = AbortSignal.any([signal, AbortSignal.timeout(answerLimitMs)]);
      // Without the URL, which may be a secret itself.
      await inSpan(`notify ${receiver.kind}`, {}, async (note) => {
        const response = await post(url, body, headers, either, signal);
        note({ 'http.response.status_code': response.status });
        judge(response);
      });
    },
  };
}

/** A user and password in it would be sent to whoever the receiver passes the call on to, and fetch refuses them with the URL in its message. */
async function readUrl(secrets: SecretSource, ref: SecretRef): Promise<URL> {
  const text = await secrets.read(ref);
  const url = URL.canParse(text) ? new URL(text) : null;
  const isWeb = url !== null && (url.protocol === 'https:' || url.protocol === 'http:');
  if (!isWeb || url.username !== '' || url.password !== '') {
    throw new ProvisionError('WebhookRefused', `${ref} holds no URL with https:// or http:// and without user`);
  }
  return url;
}

async function requestFor(
  secrets: SecretSource,
  receiver: NotifySpec,
  announcement: Announcement,
): Promise<{ readonly body: string; readonly headers: Readonly<Record<string, string>> }> {
  if (receiver.kind === 'slack') return { body: JSON.stringify(slackMessage(announcement)), headers: {} };
  const body = JSON.stringify(announcement);
  const secret = await secrets.read(receiver.secret);
  return { body, headers: { [SIGNATURE_HEADER]: signature(secret, body, new Date()) } };
}

async function post(
  url: URL,
  body: string,
  headers: Readonly<Record<string, string>>,
  either: AbortSignal,
  cancelled: AbortSignal,
): Promise<Response> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'gpu-provision', ...headers },
      body,
      // What is signed goes to nobody but the receiver that was named.
      redirect: 'manual',
      signal: either,
    });
    await response.body?.cancel();
    return response;
  } catch (error) {
    cancelled.throwIfAborted();
    throw new ProvisionError('WebhookUnreachable', reasonOf(error));
  }
}

function judge(response: Response): void {
  if (response.ok) return;
  const later = response.status >= 500 || NOT_NOW.includes(response.status);
  throw new ProvisionError(later ? 'WebhookUnreachable' : 'WebhookRefused', `HTTP ${response.status}`);
}

/** Never the message of the error, which may hold the URL. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  const cause: unknown = error instanceof Error ? error.cause : null;
  return cause instanceof Error && 'code' in cause ? `no connection: ${String(cause.code)}` : 'no connection';
}
