/**
 * What went wrong with a call to the API in the terms of the failure table.
 * @module
 */
import { ApiException } from '@kubernetes/client-node';
import { z } from 'zod';
import type { FailureType } from '../../domain/run/failures.js';
import { ProvisionError } from '../../ports/failure.js';
import type { Kubeconfig } from './kubeconfig.js';

const STATUS = z.looseObject({ kind: z.literal('Status'), reason: z.string().default(''), message: z.string() });
/** Of a body that is no Status, for the message. */
const MAX_BODY_CHARS = 300;
/** How the API server says that it serves no such path; everything else that is missing it says as a Status. */
const NO_SUCH_PATH = /^404 page not found/;

interface Refusal {
  readonly code: number;
  /** Empty where the answer is no Status: a proxy, or the server before its handlers run. */
  readonly reason: string;
  readonly message: string;
  readonly isStatus: boolean;
}

/** In this order: the first row that fits. The API's own retries are short; a step's policy says for how long it is tried again. */
const TYPES: readonly { readonly type: FailureType; readonly why: string; readonly fits: (r: Refusal) => boolean }[] = [
  {
    type: 'NotReadyYet',
    why: 'the kind, the namespace or the object is still to come',
    fits: isNotFound,
  },
  {
    type: 'NotReadyYet',
    why: 'somebody wrote between our read and our write; the next attempt reads again',
    fits: ({ reason, message }) => reason === 'Conflict' && !message.startsWith('Apply failed'),
  },
  {
    type: 'NotReadyYet',
    why: 'the list changed too much while its pages were read',
    fits: ({ code }) => code === 410,
  },
  {
    type: 'NotReadyYet',
    why: 'a namespace takes nothing while it goes away, and comes again afterwards',
    fits: ({ code, message }) => code === 403 && message.includes('because it is being terminated'),
  },
  {
    type: 'NotReadyYet',
    why: 'admission after a restart of the API server, before it has read what it goes by',
    fits: ({ code, message }) => code === 403 && message.includes('not yet ready to handle request'),
  },
  {
    type: 'NotReadyYet',
    why: 'the operator behind a webhook starts after its webhook is registered',
    fits: ({ message }) => message.includes('failed calling webhook'),
  },
  {
    type: 'ClusterConflict',
    why: 'our mistake, or another version of the kind; an apply has it as a 500',
    fits: ({ message }) => message.includes('field not declared in schema'),
  },
  { type: 'ClusterUnreachable', why: 'overloaded, or starting', fits: ({ code }) => code === 429 || code >= 500 },
  {
    type: 'ClusterUnreachable',
    why: 'something that is not the API answers in its place',
    fits: ({ isStatus }) => !isStatus,
  },
  { type: 'ClusterRefused', why: 'a role, a quota or a policy', fits: ({ code }) => code === 403 },
  { type: 'ClusterConflict', why: 'another owner, or an object that is not valid', fits: () => true },
];

export const isMissing = (error: unknown): boolean => error instanceof ApiException && isNotFound(refusalOf(error));

/** The pages of a list that were still to come are not there any more. */
export const isExpired = (error: unknown): boolean => error instanceof ApiException && error.code === 410;

type Credentials = Pick<Kubeconfig, 'source' | 'certificateEndsAt'>;

/** What to throw for what a call to the API threw; `what` is what was asked: `the API of h100-01, Node h100-01`. */
export function refusal(error: unknown, what: string, credentials: Credentials): unknown {
  if (error instanceof SyntaxError || error instanceof z.ZodError)
    return new ProvisionError(
      'ClusterUnreachable',
      `${what}: the answer is not what an API says`,
      {},
      { cause: error },
    );
  if (!(error instanceof ApiException)) return error;
  const said = refusalOf(error);
  if (said.code === 401) return unauthorized(what, credentials);
  const type = TYPES.find(({ fits }) => fits(said))?.type ?? 'ClusterConflict';
  const wait = said.code === 429 || said.code === 503 ? error.headers['retry-after'] : undefined;
  const later = wait === undefined ? '' : `, asks to wait ${wait} s`;
  return new ProvisionError(type, `${what}: ${said.message} (${`${said.code} ${said.reason}`.trim()}${later})`);
}

/** The credentials may be those of an earlier installation, and are read again for the next attempt. A certificate that is over stays so. */
function unauthorized(what: string, { source, certificateEndsAt }: Credentials): ProvisionError {
  const refused = `${what}: the API refuses the credentials of ${source} (401)`;
  if (certificateEndsAt === null || certificateEndsAt.getTime() > Date.now())
    return new ProvisionError('ClusterUnreachable', refused);
  const ended = certificateEndsAt.toISOString();
  return new ProvisionError(
    'ClusterRefused',
    `${refused}: their certificate was good until ${ended}; k3s renews it when it is restarted`,
  );
}

function isNotFound({ code, message, isStatus }: Refusal): boolean {
  return code === 404 && (isStatus || NO_SUCH_PATH.test(message));
}

function refusalOf({ code, body }: ApiException<unknown>): Refusal {
  const text = typeof body === 'string' ? body : '';
  try {
    return { code, isStatus: true, ...STATUS.parse(JSON.parse(text)) };
  } catch {
    return { code, isStatus: false, reason: '', message: text.trim().slice(0, MAX_BODY_CHARS) };
  }
}
