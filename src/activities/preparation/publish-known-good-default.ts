/**
 * From here until phase 4 proves another image, every boot that nobody armed is the one that runs now.
 * @module
 */
import { GRUB_CUSTOM_CFG } from '../../domain/host-layout.js';
import type { StepImplementation } from '../define-step.js';
import {
  isCommitted,
  isKnownGoodDefault,
  publishKnownGoodDefault,
  saveBootFiles,
  verifyKnownGoodDefault,
} from '../host/known-good-default.js';

const STEP = 'preparation.publish-known-good-default';
const COMMITTED = { summary: 'isolated already: the proven entry is the default' };

export const publishDefault: StepImplementation = {
  preview: async (ctx) => {
    if (ctx.spec.boot.strategy === 'direct' || (await isCommitted(ctx)) || (await isKnownGoodDefault(ctx))) return [];
    const sign = (await ctx.host.exists(GRUB_CUSTOM_CFG)) ? '~' : '+';
    return [{ sign, kind: 'file', what: GRUB_CUSTOM_CFG, diff: '' }];
  },
  check: async (ctx) => {
    if (await isCommitted(ctx)) return COMMITTED;
    return (await isKnownGoodDefault(ctx)) ? verifyKnownGoodDefault(ctx) : null;
  },
  apply: async (ctx) => {
    await saveBootFiles(ctx, STEP);
    await publishKnownGoodDefault(ctx, STEP);
  },
  verify: async (ctx) => ((await isCommitted(ctx)) ? COMMITTED : verifyKnownGoodDefault(ctx)),
};
