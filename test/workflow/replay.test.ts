import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows, type BuiltBundle } from '../support/workflow-bundle.js';
import { recordedHistory, recordedStories, replayHistory } from './histories.js';

const BUNDLE_LIMIT_MS = 240_000;
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
  'upgraded',
  'upgrade-restored',
];

describe('a recorded history', () => {
  it('is there for each story', () => {
    expect(recordedStories().toSorted()).toEqual(STORIES.toSorted());
  });

  it.each(STORIES)('of a run that is %s is replayed by the code of today', async (story) => {
    await expect(replayHistory(await recordedHistory(story))).resolves.toBeUndefined();
  });

  describe('by code that tells of spans, as workers run it', () => {
    let traced: BuiltBundle;
    beforeAll(async () => {
      traced = await bundleWorkflows([fileURLToPath(new URL('../../src/workflows/tracing.ts', import.meta.url))]);
    }, BUNDLE_LIMIT_MS);
    afterAll(() => traced.remove());

    it.each(STORIES)('is replayed without a difference, and tells of nothing twice: %s', async (story) => {
      const ended: unknown[] = [];
      const fn = (_info: unknown, span: unknown): void => void ended.push(span);
      const sinks = { trace: { ended: { fn, callDuringReplay: false } } };
      await replayHistory(await recordedHistory(story), { workflowBundle: { codePath: traced.codePath }, sinks });
      expect(ended).toEqual([]);
      // They would be told where replay did not hold them back.
      sinks.trace.ended.callDuringReplay = true;
      await replayHistory(await recordedHistory(story), { workflowBundle: { codePath: traced.codePath }, sinks });
      expect(ended.length).toBeGreaterThan(1);
    });
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
