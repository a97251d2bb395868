import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRackHost, type RackHost } from '../../test/support/rack-host.js';
import type { StepContext, StepImplementation } from './define-step.js';
import { isolationSteps } from './gpu-isolation.js';
import { preparationSteps } from './node-preparation.js';

const IMAGE = '/boot/initrd.img-6.8.0-60-generic';
/** A host of the rack is cheap, a machine full of tests is not. */
const PATIENCE = { timeout: 60_000 };

async function perform(step: StepImplementation, ctx: StepContext): Promise<void> {
  if ((await step.check?.(ctx)) ?? null) return;
  await step.apply(ctx);
  await step.verify(ctx);
}

describe('putting saved images back', PATIENCE, () => {
  let server: RackHost;
  let ctx: StepContext;
  let booted: string | null;

  beforeAll(async () => {
    server = await startRackHost();
    ctx = server.context('11111111-run');
    booted = server.host.readFile(IMAGE);
    for (const step of Object.values(preparationSteps)) await perform(step, ctx);
    for (const step of Object.values(isolationSteps)) await perform(step, ctx);
  }, 60_000);
  afterAll(() => server.close());

  it.each([
    ['cut short on the disk', (built: string) => built.slice(0, built.length / 2)],
    ['overwritten with something else', () => 'no image at all'],
  ])('replaces one that was %s', async (_what, damage) => {
    const built = server.host.readFile(IMAGE) ?? '';
    expect(built).not.toBe(booted);
    server.host.writeFile(IMAGE, damage(built));
    for (const name of ['launcher', 'hook', 'modules'] as const)
      await isolationSteps[`isolation.write-${name}`].undo(ctx);
    expect(await isolationSteps['isolation.check-saved-images'].undo(ctx)).toBe(
      '2 images put back by hash, 0 rebuilt without the hook',
    );
    expect(server.host.readFile(IMAGE)).toBe(booted);
    for (const step of Object.values(isolationSteps)) await perform(step, ctx);
  });
});
