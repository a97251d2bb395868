import { afterEach, describe, expect, it } from 'vitest';
import { startRackHost, type RackHost } from '../../../test/support/rack-host.js';
import { NOTICE_PATH } from '../../domain/host-layout.js';
import { ProvisionError } from '../../ports/failure.js';
import type { StepContext } from '../define-step.js';
import { claimHost } from '../preparation/claim-host.js';
import { postNotice, takeDownNotice } from './notice.js';

const RUN = '0199c2aa-run';

let server: RackHost | undefined;
afterEach(() => server?.close());

/** A host that this run has claimed. */
async function claimed(): Promise<{ server: RackHost; ctx: StepContext; warnings: string[] }> {
  const started = await startRackHost();
  server = started;
  const warnings: string[] = [];
  const ctx = { ...started.context(RUN), warn: (message: string): void => void warnings.push(message) };
  await claimHost.apply(ctx);
  await claimHost.verify(ctx);
  return { server: started, ctx, warnings };
}

const journal = async ({ host }: RackHost): Promise<readonly string[]> =>
  (await host.execute('journalctl -t gpu-provision -o cat')).stdout.trimEnd().split('\n');

describe('the notice for people who log in', () => {
  it('comes with the claim, and says who has the host and what a reboot does', async () => {
    const { server: h100, warnings } = await claimed();
    expect(h100.host.readFile(NOTICE_PATH))
      .toBe(`gpu-provision holds this host, h100-01. Please leave packages, /boot and GRUB alone.
  run        ${RUN}
  staged     nothing
  a reboot   boots the default entry of this host, as without gpu-provision
  to look    gpu-provision status h100-01     (where the operators work)
             journalctl -t gpu-provision     (here)
`);
    expect((await h100.host.execute(`stat -c '%a %u:%g' ${NOTICE_PATH} /etc/motd.d`)).stdout).toBe(
      '644 0:0\n755 0:0\n',
    );
    expect(await journal(h100)).toEqual([
      `run ${RUN} of h100-01: takes this host. Staged: nothing. A reboot boots the default entry of this host, as without gpu-provision`,
    ]);
    expect(warnings).toEqual([]);
  });

  it('goes with the release, and leaves /etc as it was', async () => {
    const { server: h100, ctx } = await claimed();
    expect(await takeDownNotice(ctx, 'gives this host back')).toBeUndefined();
    expect(h100.host.readFile(NOTICE_PATH)).toBeNull();
    expect((await h100.host.execute('test -e /etc/motd.d')).exitCode).toBe(1);
    expect((await journal(h100)).at(-1)).toBe(`run ${RUN} of h100-01: gives this host back`);
    expect(await takeDownNotice(ctx, 'gives this host back')).toBeUndefined();
  });

  it('leaves the messages of others alone', async () => {
    const { server: h100, ctx } = await claimed();
    h100.host.writeFile('/etc/motd.d/site', 'Welcome.\n');
    await takeDownNotice(ctx, 'gives this host back');
    expect(h100.host.readFile('/etc/motd.d/site')).toBe('Welcome.\n');
  });

  it('neither replaces nor removes a file of that name which is of somebody else', async () => {
    const { server: h100, ctx, warnings } = await claimed();
    h100.host.writeFile(NOTICE_PATH, 'Ask Ann first.\n');
    await postNotice(ctx, 'known-good is the default');
    expect(warnings).toEqual([`the notice on the host was not renewed: ${NOTICE_PATH} is a file of somebody else`]);
    expect(await takeDownNotice(ctx, 'gives this host back')).toBeUndefined();
    expect(h100.host.readFile(NOTICE_PATH)).toBe('Ask Ann first.\n');
  });

  it('takes over that of a run that is lost', async () => {
    const { server: h100, ctx } = await claimed();
    h100.host.writeFile(NOTICE_PATH, (h100.host.readFile(NOTICE_PATH) ?? '').replace(RUN, 'lost-run'));
    await postNotice(ctx, 'takes this host');
    expect(h100.host.readFile(NOTICE_PATH)).toContain(`run        ${RUN}\n`);
  });

  it('that cannot be renewed is taken away, and fails no step', async () => {
    const { server: h100, ctx, warnings } = await claimed();
    h100.rack.faults.add({
      at: 'program',
      match: /^mv .*motd\.d/,
      effect: { kind: 'fail', exitCode: 1, stderr: 'mv: no space left on device' },
    });
    h100.host.writeFile(NOTICE_PATH, `${h100.host.readFile(NOTICE_PATH) ?? ''}stale\n`);
    await postNotice(ctx, 'known-good is the default');
    expect(warnings.join()).toContain('no space left on device');
    expect(h100.host.readFile(NOTICE_PATH)).toBeNull();
  });

  it('that cannot be taken away is told, with its path', async () => {
    const { server: h100, ctx } = await claimed();
    const effect = { kind: 'drop-link', when: 'before' } as const;
    h100.rack.faults.add({ at: 'ssh', match: /rm -f "\$1".*motd\.d/s, effect });
    expect(await takeDownNotice(ctx, 'gives this host back')).toContain(
      `${NOTICE_PATH}, which people see when they log in: `,
    );
    expect(h100.rack.faults.struck).toHaveLength(1);
    expect(h100.host.readFile(NOTICE_PATH)).not.toBeNull();
  });

  it('is not written by a run that has lost the host', async () => {
    const { server: h100, ctx, warnings } = await claimed();
    const other = h100.context('other-run');
    await ctx.host.release();
    await other.host.claim();
    const before = h100.host.readFile(NOTICE_PATH);
    await postNotice({ ...ctx, spec: { ...ctx.spec, name: 'h100-99' } }, 'known-good is the default');
    expect(h100.host.readFile(NOTICE_PATH)).toBe(before);
    expect(warnings).toHaveLength(2);
  });

  it('hides no bug and no cancel', async () => {
    const { ctx } = await claimed();
    const broken = { ...ctx, spec: { ...ctx.spec, boot: undefined } } as unknown as StepContext;
    await expect(postNotice(broken, 'x')).rejects.toThrow(TypeError);
    await expect(postNotice(broken, 'x')).rejects.not.toBeInstanceOf(ProvisionError);
  });
});
