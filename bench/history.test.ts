import { expect, it } from 'vitest';
import { recordedHistory } from '../test/workflow/histories.js';
import { parseHistory } from './history.js';

type Events = Parameters<typeof parseHistory>[0];

/** As a client gets them: bytes where the recording has base64. */
async function recordedEvents(): Promise<Events> {
  const { events } = await recordedHistory('provisioned');
  return JSON.parse(JSON.stringify(events), (key, value: unknown) =>
    (key === 'data' || key === 'encoding') && typeof value === 'string' ? Buffer.from(value, 'base64') : value,
  ) as Events;
}

it('reads a recorded run: its activities, what it slept for, and the question that a person answered', async () => {
  const { whole, activities, timers, questions } = parseHistory(await recordedEvents());
  expect(activities.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['preflight.check', 'reboot.await-return']),
  );
  expect(activities.find(({ name }) => name === 'reboot.request')?.result).toEqual({ asked: true });
  for (const { scheduledAt, startedAt, completedAt } of activities) {
    const times = [whole.from, scheduledAt, startedAt, completedAt, whole.to];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  }
  expect(timers.map(({ summary }) => summary)).toEqual([expect.stringMatching(/^settling/)]);
  expect(questions).toHaveLength(1);
});

it('a question that is still open is none that was waited for', async () => {
  const events = await recordedEvents();
  const asked = events.findIndex(({ upsertWorkflowSearchAttributesEventAttributes: upsert }) =>
    JSON.stringify(upsert ?? '').includes('ProvisionGate'),
  );
  expect(parseHistory(events.slice(0, asked + 1)).questions).toEqual([]);
});

it('an event that is missing is an error, not a time', async () => {
  const events = await recordedEvents();
  expect(() => parseHistory(events.filter(({ activityTaskScheduledEventAttributes: a }) => !a))).toThrow(
    /^the history names event \d+ and does not have it$/,
  );
});
