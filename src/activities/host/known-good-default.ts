/**
 * The default boot entry is always one that has already booted. Packages of phase 2 rebuild the boot images, and phase 4 does on
 * purpose; so before either, the images are saved and custom.cfg makes the known-good copy the default.
 * @module
 */
import { renderCustomCfg } from '../../domain/boot/custom-cfg.js';
import { readsCustomCfg } from '../../domain/boot/grub-config.js';
import {
  GRUB_CFG,
  GRUB_CUSTOM_CFG,
  GRUB_TRIAL_VARIABLE,
  KNOWN_GOOD_DIR,
  KNOWN_GOOD_ENTRY,
} from '../../domain/host-layout.js';
import { versionsIn } from '../../domain/preparation/known-good.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext } from '../define-step.js';
import { bootImages } from './boot.js';
import { bootedCopy, currentCopy, pruneCopies, undamagedCopy } from './known-good-copy.js';
import { readLedgerState } from './ledger.js';
import { postNotice } from './notice.js';
import type { RemoteHost } from './remote-host.js';

const MAKES_IT_DEFAULT = `set default=${KNOWN_GOOD_ENTRY}`;

/** Saves every boot image, grub.cfg and custom.cfg in the ledger. */
export async function saveBootFiles(ctx: StepContext, step: string): Promise<void> {
  for (const path of [...(await bootImages(ctx.host)), GRUB_CFG, GRUB_CUSTOM_CFG]) {
    ctx.heartbeat(path);
    await ctx.host.saveOriginal(path, step);
  }
}

export async function publishKnownGoodDefault(ctx: StepContext, step: string): Promise<void> {
  if (ctx.spec.boot.strategy === 'direct') return;
  // With a trial in it already, from an earlier attempt of this run, it has the same default: don't step back.
  const now = await ctx.host.readFile(GRUB_CUSTOM_CFG);
  if (!(await makesDefault(ctx, now)) || now?.includes(`run ${ctx.run.id}.`) !== true) {
    const booted = await bootedCopy(ctx.host);
    const content = renderCustomCfg({ runId: ctx.run.id, booted, trial: null, committed: false });
    await ctx.host.writeFile({ path: GRUB_CUSTOM_CFG, content, mode: '644' }, step);
  }
  await checkGrubScript(ctx.host);
  // Only now: until custom.cfg is published, an older copy is what a power cut boots.
  await pruneCopies(ctx.host);
  await postNotice(ctx, 'known-good is the default');
}

/** Whether this custom.cfg makes the copy that counts the default. */
async function makesDefault(ctx: StepContext, text: string | null): Promise<boolean> {
  if (text?.includes(MAKES_IT_DEFAULT) !== true) return false;
  const named = versionsIn(text);
  const version = (await currentCopy(ctx.host))?.version;
  return named.length > 0 && named.every((name) => name === version);
}

/** Whether all of it is done already, by whichever run: known-good is the default, nothing can be armed, every image is saved. */
export async function isKnownGoodDefault(ctx: StepContext): Promise<boolean> {
  const text = await ctx.host.readFile(GRUB_CUSTOM_CFG);
  if (!(await makesDefault(ctx, text)) || text?.includes(GRUB_TRIAL_VARIABLE) === true) return false;
  const saved = new Set((await ctx.host.ledger()).map((entry) => entry.path));
  return [...(await bootImages(ctx.host)), GRUB_CFG, GRUB_CUSTOM_CFG].every((path) => saved.has(path));
}

/** Whether GRUB's parser takes custom.cfg. Throws CommandFailed, with the line. */
export async function checkGrubScript(host: RemoteHost): Promise<void> {
  await host.must(['grub-script-check', GRUB_CUSTOM_CFG]);
}

/** A site that took 41_custom away has a GRUB that boots whatever update-grub made the default. Throws StepNotVerified. */
export async function checkCustomCfgIsRead(ctx: Pick<StepContext, 'host'>): Promise<void> {
  if (readsCustomCfg((await ctx.host.readFile(GRUB_CFG)) ?? '')) return;
  throw new ProvisionError(
    'StepNotVerified',
    `${GRUB_CFG} does not read ${GRUB_CUSTOM_CFG}: make /etc/grub.d/41_custom executable and run update-grub`,
  );
}

/** Reads back that GRUB would boot the known-good copy and that the copy is there. Throws StepNotVerified. */
export async function verifyKnownGoodDefault(ctx: StepContext): Promise<{ readonly summary: string }> {
  if (ctx.spec.boot.strategy === 'direct') return { summary: 'direct strategy: no known-good default' };
  await checkGrubScript(ctx.host);
  await checkCustomCfgIsRead(ctx);
  if (!(await makesDefault(ctx, await ctx.host.readFile(GRUB_CUSTOM_CFG))))
    throw new ProvisionError('StepNotVerified', `${GRUB_CUSTOM_CFG} does not make the known-good copy the default`);
  if ((await undamagedCopy(ctx.host)) === null)
    throw new ProvisionError('StepNotVerified', `the known-good copy in ${KNOWN_GOOD_DIR} is damaged`);
  return { summary: 'the entry that already booted is the default' };
}

/** On a host that is isolated the proven entry is the default, and stays so. */
export async function isCommitted(ctx: StepContext): Promise<boolean> {
  return (await readLedgerState(ctx.host))?.state === 'committed';
}
