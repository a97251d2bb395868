import { describe, expect, it } from 'vitest';
import { recordedHistory, recordedStories, replayHistory } from './histories.js';

const STORIES = [
  'provisioned',
  'restored',
  'rejected',
  'expired',
  'cancelled',
  'parked-and-resumed',
  'given-up',
  'needs-hands',
  'decommissioned',
  'rebooted',
];

describe('a recorded history', () => {
  it('is there for each story', () => {
    expect(recordedStories().toSorted()).toEqual(STORIES.toSorted());
  });

  it.each(STORIES)('of a run that is %s is replayed by the code of today', async (story) => {
    await expect(replayHistory(await recordedHistory(story))).resolves.toBeUndefined();
  });

  it('that tells of another activity than the code would call is found out', async () => {
    const { events } = await recordedHistory('provisioned');
    const at = events.findIndex((event) => JSON.stringify(event).includes('"reboot.arm"'));
    expect(at).toBeGreaterThan(0);
    const altered = events.map((event, i): (typeof events)[number] =>
      i === at ? JSON.parse(JSON.stringify(event).replace('"reboot.arm"', '"reboot.request"')) : event,
    );
    await expect(replayHistory({ events: altered })).rejects.toThrow(/[Nn]ondeterminism|determinis/);
  });
});
