/**
 * What activities keep for the report. It never stands in the way: what cannot be read or kept is said, and the step goes on.
 * @module
 */
import type { ArtifactRef, WithArtifacts } from '../domain/run/artifacts.js';
import type { ArtifactStore } from '../ports/artifacts.js';
import { ProvisionError } from '../ports/failure.js';

/** A journal of a boot that talks a lot has a few hundred kilobytes. */
export const EVIDENCE_BYTES = 4 * 1024 * 1024;
const PROBLEM_LIMIT = 300;

export class Evidence {
  private readonly kept: ArtifactRef[] = [];

  constructor(
    /** null where nobody keeps anything. */
    private readonly store: ArtifactStore | null,
    private readonly signal: AbortSignal,
  ) {}

  get artifacts(): readonly ArtifactRef[] {
    return this.kept;
  }

  /** Keeps a text, or what `read` answers. Nothing is kept of an empty one. */
  async keep(name: string, read: string | (() => Promise<string>)): Promise<void> {
    if (this.store === null) return;
    let text = '';
    try {
      text = typeof read === 'string' ? read : await read();
      if (text.trim() === '') return;
      const whole = text.length <= EVIDENCE_BYTES;
      const stored = await this.store.put(whole ? text : text.slice(-EVIDENCE_BYTES));
      const problem = whole ? null : `only the end: it had ${text.length} characters`;
      this.kept.push({ name, ...stored, store: this.store.url, problem });
    } catch (error) {
      // A cancel is for the step, not for its evidence.
      if (this.signal.aborted) throw error;
      const problem = error instanceof Error ? error.message.slice(0, PROBLEM_LIMIT) : String(error);
      this.kept.push({ name, sha256: '', bytes: text.length, store: null, problem });
    }
  }

  /** Adds what was kept to the result of a step, or to what it fails with. */
  async with<T extends object>(body: () => Promise<T>): Promise<T & WithArtifacts> {
    try {
      const result = await body();
      return this.kept.length === 0 ? result : { ...result, artifacts: this.kept };
    } catch (error) {
      if (!(error instanceof ProvisionError) || this.kept.length === 0) throw error;
      const details = { ...error.details, artifacts: this.kept };
      throw new ProvisionError(error.type, error.message, details, { cause: error.cause });
    }
  }
}
