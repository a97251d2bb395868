/**
 * What the host says to the step that runs: read from the heartbeat of its activity, as Temporal has it.
 * @module
 */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { type HostOutput, hostOutputOf } from '../domain/run/host-output.js';

/** `PENDING_ACTIVITY_STATE_STARTED` of temporal.api.enums.v1: an attempt is at work. */
const STARTED = 2;

/** null where no command runs that says anything, and where it cannot be read: the view does without it. */
export async function hostOutput(
  client: Client,
  { raw }: Pick<WorkflowExecutionDescription, 'raw'>,
): Promise<HostOutput | null> {
  const { payloadCodecs, payloadConverter } = client.options.loadedDataConverter;
  for (const { state, heartbeatDetails } of raw.pendingActivities ?? []) {
    // Between two attempts nobody looks at the host, and what was said is of the one before.
    if (Number(state) !== STARTED) continue;
    try {
      let payloads = heartbeatDetails?.payloads ?? [];
      for (const codec of payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
      const [payload] = payloads;
      const output = payload === undefined ? null : hostOutputOf(payloadConverter.fromPayload(payload));
      if (output !== null) return output;
    } catch {
      // Without the keys of the run its status cannot be read either, and that is told.
    }
  }
  return null;
}
