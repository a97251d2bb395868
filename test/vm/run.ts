/**
 * A run on a machine that really boots.
 * @module
 */
import type { RunStatus } from '../../src/domain/run/messages.js';
import { ProvisionRun, story } from '../support/provision-run.js';

export class BootRun extends ProvisionRun {
  /** Throws when it asks something: nobody would answer, and a test of this tier waits long. */
  override async end(): Promise<RunStatus> {
    await this.until((status) => {
      if (status.question !== null) throw new Error(`asks ${status.question.id}: ${story(status)}`);
      return status.outcome !== null;
    });
    return super.end();
  }
}
