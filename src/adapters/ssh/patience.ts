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
