/**
 * The notice for people on a host that a run has: in the message of the day, and line by line in the journal. A courtesy: what goes wrong
 * with it is told, and fails nothing. But it must not lie: it is made of what GRUB would do now, and one that can't be renewed is taken away.
 * @module
 */
import { nextBoot } from '../../domain/boot/custom-cfg.js';
import { GRUB_CUSTOM_CFG, GRUB_TRIAL_VARIABLE, NOTICE_PATH, NOTICE_TAG } from '../../domain/host-layout.js';
import { hostNoticeLine, isNotice, renderHostNotice, type HostNotice } from '../../domain/text/host-notice.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext } from '../define-step.js';
import { readGrubEnvironment } from './boot.js';
import { sha256, type RemoteHost } from './remote-host.js';
import { REMOVE_FILE, WRITE_FILE } from './scripts.js';

/** A journal that hangs must not hold up what is told in it. */
const LOG_TIMEOUT_MS = 10_000;

const NOTICE_DIR = NOTICE_PATH.slice(0, NOTICE_PATH.lastIndexOf('/'));

/**
 * Says what has happened, and what a reboot does from now on. Call after the change; but `about-to-arm` before it, so that no reboot into
 * an unproven entry comes unannounced.
 */
export async function postNotice(ctx: StepContext, happened: string, order?: 'about-to-arm'): Promise<void> {
  const problem = await problemOf(async () => {
    const notice = await noticeNow(ctx, order === 'about-to-arm');
    await log(ctx.host, hostNoticeLine(happened, notice));
    await write(ctx.host, renderHostNotice(notice));
  });
  if (problem === null) return;
  ctx.warn(`the notice on the host was not renewed: ${problem}`);
  const stale = await problemOf(() => remove(ctx.host));
  if (stale !== null) ctx.warn(`${NOTICE_PATH} may be out of date: ${stale}`);
}

/** Its end. What people should know when that did not go well. */
export async function takeDownNotice(ctx: StepContext, happened: string): Promise<string | undefined> {
  const problem = await problemOf(async () => {
    await remove(ctx.host);
    await log(ctx.host, `run ${ctx.run.id} of ${ctx.spec.name}: ${happened}`);
  });
  if (problem === null) return undefined;
  ctx.warn(`the notice on the host was not taken away: ${problem}`);
  return `${NOTICE_PATH}, which people see when they log in: ${problem}`;
}

async function noticeNow({ host, run, spec }: StepContext, aboutToArm: boolean): Promise<HostNotice> {
  const whose = { server: spec.name, run: run.id };
  if (spec.boot.strategy === 'direct') return { ...whose, next: 'direct' };
  const armed = aboutToArm || ((await readGrubEnvironment(host)).get(GRUB_TRIAL_VARIABLE) ?? '') !== '';
  return { ...whose, next: nextBoot(await host.readFile(GRUB_CUSTOM_CFG), armed) };
}

async function log(host: RemoteHost, line: string): Promise<void> {
  await host.must(['logger', '-t', NOTICE_TAG, '-p', 'user.notice', line], { timeoutMs: LOG_TIMEOUT_MS });
}

async function write(host: RemoteHost, content: string): Promise<void> {
  const before = await host.readFile(NOTICE_PATH);
  if (before === content) return;
  if (before !== null && !isNotice(before))
    throw new ProvisionError('StepNotVerified', `${NOTICE_PATH} is a file of somebody else`);
  // pam_motd reads with the rights of who logs in, whatever the umask of root is.
  if (before === null && !(await host.exists(NOTICE_DIR)))
    await host.change(['install', '-d', '-m', '755', NOTICE_DIR]);
  await host.changeScript(WRITE_FILE, [NOTICE_PATH, '644', sha256(content)], { stdin: content });
  if ((await host.readFile(NOTICE_PATH)) !== content)
    throw new ProvisionError('StepNotVerified', `${NOTICE_PATH} does not read back as written`);
}

async function remove(host: RemoteHost): Promise<void> {
  const text = await host.readFile(NOTICE_PATH);
  if (text === null || !isNotice(text)) return;
  await host.changeScript(REMOVE_FILE, [NOTICE_PATH]);
  if (await host.exists(NOTICE_PATH))
    throw new ProvisionError('StepNotVerified', `${NOTICE_PATH} is still there after its removal`);
  // A fresh Ubuntu has no such folder. One with something in it stays.
  await host.tryChange(['rmdir', NOTICE_DIR]);
}

/** null when it went well. A cancel and a bug are no problem of the notice. */
async function problemOf(body: () => Promise<void>): Promise<string | null> {
  try {
    await body();
    return null;
  } catch (error) {
    if (error instanceof ProvisionError) return error.message;
    throw error;
  }
}
