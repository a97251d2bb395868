/**
 * Why a client's call did not do what was asked. The run itself is unaffected by any of these.
 * @module
 */
import {
  isGrpcServiceError,
  ScheduleNotFoundError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { CodecError } from '../codec/key-ring.js';

export type ClientErrorKind =
  /** No connection to Temporal, or its namespace isn't ready for us. */
  | 'unreachable'
  /** There is no such run, or it is over. */
  | 'not-found'
  /** The run judged the request and said no; the message is its reason. */
  | 'refused'
  | 'already-running'
  /** The keys for payloads cannot be used here, or the run's payloads need another one. */
  | 'codec-keys'
  /** Temporal is there, but no worker answered in time. */
  | 'no-worker';

export class ClientError extends Error {
  override readonly name = 'ClientError';

  constructor(
    readonly kind: ClientErrorKind,
    message: string,
    options?: { readonly cause: unknown },
  ) {
    super(message, options);
  }
}

/** Numbers of gRPC, so that nothing here depends on its package. Source: grpc.io/docs/guides/status-codes. */
const GRPC = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  failedPrecondition: 9,
  unavailable: 14,
  unauthenticated: 16,
};

interface CallContext {
  readonly server: string;
  readonly address: string;
}

/** The ClientError a failed call amounts to; what is none of them is returned as it is: a bug. */
export function clientError(error: unknown, { server, address }: CallContext): unknown {
  const cause = { cause: error };
  if (error instanceof ClientError) return error;
  if (error instanceof CodecError) return new ClientError('codec-keys', error.message, cause);
  if (error instanceof WorkflowExecutionAlreadyStartedError) {
    return new ClientError(
      'already-running',
      `there is a run of ${server} already. Look at it: gpu-provision watch ${server}. Or start with --attach.`,
      cause,
    );
  }
  if (error instanceof WorkflowUpdateFailedError) {
    return new ClientError('refused', error.cause?.message ?? error.message, cause);
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return new ClientError(
      'no-worker',
      `no worker answered, so whether the decision counts is unknown: it may still arrive when a worker comes. ` +
        `Start one (gpu-provision worker), then look: gpu-provision status ${server}`,
      cause,
    );
  }
  if (error instanceof NamespaceNotFoundError) {
    return new ClientError(
      'unreachable',
      `Temporal at ${address} has no namespace ${error.namespace}: set TEMPORAL_NAMESPACE`,
      cause,
    );
  }
  if (error instanceof ScheduleNotFoundError) {
    return new ClientError('not-found', `there is no schedule ${error.scheduleId}`, cause);
  }
  if (error instanceof WorkflowNotFoundError) {
    return new ClientError('not-found', `there is no run of ${server}, or it is over`, cause);
  }
  const grpc = grpcError(error);
  if (grpc?.code === GRPC.invalidArgument && /search attribute/i.test(grpc.details)) {
    return new ClientError(
      'unreachable',
      `Temporal at ${address} says: ${grpc.details}. Create each once: ` +
        `temporal operator search-attribute create --name NAME --type Keyword`,
      cause,
    );
  }
  if (grpc?.code === GRPC.unavailable || grpc?.code === GRPC.deadlineExceeded)
    return unreachable(address, grpc.details, error);
  if (grpc?.code === GRPC.permissionDenied || grpc?.code === GRPC.unauthenticated)
    return unreachable(address, grpc.details, error);
  if (grpc?.code === GRPC.notFound || grpc?.code === GRPC.failedPrecondition)
    return new ClientError('refused', `Temporal at ${address} says: ${grpc.details}`, cause);
  return error;
}

export function unreachable(address: string, why: string, cause: unknown): ClientError {
  const message =
    `Temporal at ${address} can't be reached (${why}). Runs are unaffected. ` +
    `Set TEMPORAL_ADDRESS, or start it: docker compose -f docker-compose.temporal.yml up -d`;
  return new ClientError('unreachable', message, { cause });
}

/** The gRPC status at the bottom of a chain of causes. */
function grpcError(error: unknown): { readonly code: number; readonly details: string } | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (isGrpcServiceError(at)) return { code: at.code, details: at.details };
  }
  return null;
}

/** The message of the innermost cause, which says what really happened. */
export function rootMessage(error: unknown): string {
  let at: unknown = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  return at instanceof Error ? at.message : String(at);
}
