/**
 * The API's refusals in the terms of the failure table.
 * @module
 */
import { ApiException } from '@kubernetes/client-node';
import { z } from 'zod';
import { ProvisionError } from '../../ports/failure.js';

const STATUS = z.looseObject({ reason: z.string().default(''), message: z.string() });
/** Of a body that is no Status, for the message. */
const MAX_BODY_CHARS = 300;

export const isMissing = (error: unknown): boolean => error instanceof ApiException && error.code === 404;

/** What to throw for what a call to the API threw; `what` is what was asked: `the API of h100-01, Node h100-01`. */
export function refusal(error: unknown, what: string): unknown {
  if (error instanceof SyntaxError)
    return new ProvisionError('ClusterUnreachable', `${what}: the answer is no JSON`, {}, { cause: error });
  if (!(error instanceof ApiException)) return error;
  const { code } = error;
  const { reason, message } = statusOf(error.body);
  const text = `${what}: ${message} (${code} ${reason})`;
  if (code === 404) return new ProvisionError('NotReadyYet', text);
  // Somebody wrote between our read and our write; the next attempt reads again.
  if (reason === 'Conflict' && !message.startsWith('Apply failed')) return new ProvisionError('NotReadyYet', text);
  // Our mistake, or another version of the kind; an apply has it as a 500.
  if (message.includes('field not declared in schema')) return new ProvisionError('ClusterConflict', text);
  if (code === 401 || code === 429 || code >= 500) return new ProvisionError('ClusterUnreachable', text);
  return new ProvisionError('ClusterConflict', text);
}

function statusOf(body: unknown): z.infer<typeof STATUS> {
  const text = typeof body === 'string' ? body : '';
  try {
    return STATUS.parse(JSON.parse(text));
  } catch {
    return { reason: '', message: text.slice(0, MAX_BODY_CHARS) };
  }
}
