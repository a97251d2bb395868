/**
 * A run's history, read for its times: when its activities ran, what it slept for, and when it waited for a person.
 * @module
 */
import type { Client, WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { SEARCH_ATTRIBUTES, workflowId } from '../src/domain/run/messages.js';
import type { Interval } from './figures.js';

/** Of the last attempt; one that is retried has only that in its history. */
export interface ActivitySpan {
  readonly name: string;
  readonly scheduledAt: number;
  readonly startedAt: number;
  readonly completedAt: number;
  readonly result: unknown;
}

export interface RunHistory {
  readonly whole: Interval;
  readonly activities: readonly ActivitySpan[];
  readonly timers: readonly (Interval & { readonly summary: string })[];
  /** While a question was open. */
  readonly questions: readonly Interval[];
  readonly events: number;
}

type HistoryEvent = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];
type Payload = Parameters<typeof defaultPayloadConverter.fromPayload>[0];

export async function readHistory(client: Client, server: string): Promise<RunHistory> {
  const { events } = await client.workflow.getHandle(workflowId(server)).fetchHistory();
  return parseHistory(events ?? []);
}

export function parseHistory(events: readonly HistoryEvent[]): RunHistory {
  const byId = new Map(events.map((event) => [String(event.eventId), event]));
  const at = (id: unknown): HistoryEvent => {
    const event = byId.get(String(id));
    if (event === undefined) throw new Error(`the history names event ${String(id)} and does not have it`);
    return event;
  };
  const [first, last] = [events.at(0), events.at(-1)];
  if (first === undefined || last === undefined) throw new Error('the history has no events');
  return {
    whole: { from: timeOf(first), to: timeOf(last) },
    activities: events.flatMap((event) => {
      const done = event.activityTaskCompletedEventAttributes;
      if (!done) return [];
      const scheduled = at(done.scheduledEventId);
      return {
        name: scheduled.activityTaskScheduledEventAttributes?.activityType?.name ?? '',
        scheduledAt: timeOf(scheduled),
        startedAt: timeOf(at(done.startedEventId)),
        completedAt: timeOf(event),
        result: valueOf(done.result?.payloads?.[0]),
      };
    }),
    timers: events.flatMap((event) => {
      const fired = event.timerFiredEventAttributes;
      if (!fired) return [];
      const started = at(fired.startedEventId);
      const summary = valueOf(started.userMetadata?.summary);
      return { summary: typeof summary === 'string' ? summary : '', from: timeOf(started), to: timeOf(event) };
    }),
    questions: questionsOf(events),
    events: events.length,
  };
}

/** The workflow keeps the open question in a search attribute. */
function questionsOf(events: readonly HistoryEvent[]): readonly Interval[] {
  const questions: Interval[] = [];
  let open: number | null = null;
  for (const event of events) {
    const fields = event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields;
    const payload = fields?.[SEARCH_ATTRIBUTES.gate];
    if (!payload) continue;
    const asked = valueOf(payload);
    if (typeof asked === 'string' && asked !== '') open ??= timeOf(event);
    else if (open !== null) {
      questions.push({ from: open, to: timeOf(event) });
      open = null;
    }
  }
  return questions;
}

function valueOf(payload: Payload | null | undefined): unknown {
  return payload ? defaultPayloadConverter.fromPayload(payload) : undefined;
}

function timeOf(event: HistoryEvent): number {
  const { seconds, nanos } = event.eventTime ?? {};
  return Number(String(seconds)) * 1_000 + (nanos ?? 0) / 1e6;
}
