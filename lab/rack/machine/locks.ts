/**
 * flock(2) locks by path. They belong to a boot, and end with the process that holds them.
 * @module
 */
export class Locks {
  private readonly queues = new Map<string, (() => void)[]>();

  isHeld(path: string): boolean {
    return this.queues.has(path);
  }

  /** A function that releases it; null when it wasn't free in time. Waits without limit for null. */
  take(path: string, waitMs: number | null, signal: AbortSignal): Promise<(() => void) | null> {
    const release = (): void => {
      const next = this.queues.get(path)?.shift();
      if (next === undefined) this.queues.delete(path);
      else next();
    };
    const queue = this.queues.get(path);
    if (queue === undefined) {
      this.queues.set(path, []);
      return Promise.resolve(release);
    }
    return new Promise((resolve) => {
      const leave = (): void => {
        const at = queue.indexOf(enter);
        if (at >= 0) queue.splice(at, 1);
        resolve(null);
      };
      const timer = waitMs === null ? undefined : setTimeout(leave, waitMs);
      const enter = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', leave);
        resolve(release);
      };
      signal.addEventListener('abort', leave, { once: true });
      queue.push(enter);
    });
  }
}
