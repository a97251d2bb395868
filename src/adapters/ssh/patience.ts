/**
 * Waiting for something shared: the waiter may give up, the thing itself goes on for the others.
 * @module
 */
export interface Patience {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** The error when the time is over. */
  readonly late: () => Error;
}

/** Settles as `promise` does, unless the signal aborts (rejects with its reason) or the time is over first. */
export async function patiently<T>(promise: Promise<T>, { signal, timeoutMs, late }: Patience): Promise<T> {
  signal?.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => done(() => reject(signal?.reason));
    const timer = setTimeout(() => done(() => reject(late())), timeoutMs);
    const done = (settle: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      settle();
    };
    signal?.addEventListener('abort', abort);
    promise.then(
      (value) => done(() => resolve(value)),
      (error: unknown) => done(() => reject(error)),
    );
  });
}

/** Milliseconds that are left of a limit; 1 when none is, so that what follows fails by its own timeout. */
export function countdown(limitMs: number): () => number {
  const start = performance.now();
  return () => Math.max(1, Math.round(limitMs - (performance.now() - start)));
}
