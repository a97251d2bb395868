import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRackHost, type RackHost } from '../../test/support/rack-host.js';
import { parseGrubConfig } from '../domain/boot/grub-config.js';
import { judge } from '../domain/preflight/checks.js';
import { KNOWN_GOOD_INITRD, KNOWN_GOOD_KERNEL, KNOWN_GOOD_STANZA } from '../domain/host-layout.js';
import { LVM_CONF_PATH } from '../domain/preparation/lvm-filter.js';
import { stepsOf, type StepResult } from '../domain/run/steps.js';
import type { ProvisionError } from '../ports/failure.js';
import type { StepContext, StepImplementation } from './define-step.js';
import { readHostFacts } from './host/facts.js';
import { readLedgerState, readNote } from './host/ledger.js';
import { preparationSteps } from './node-preparation.js';

const steps: readonly (readonly [name: string, step: StepImplementation])[] = Object.entries(preparationSteps);

/** As the activity of a step does it. */
async function perform(step: StepImplementation, ctx: StepContext): Promise<StepResult> {
  const present = await step.check?.(ctx);
  if (present) return { changed: false, ...present };
  await step.apply(ctx);
  return { changed: true, ...(await step.verify(ctx)) };
}

const hashOf = async (ctx: StepContext, path: string): Promise<string | null> =>
  (await ctx.host.hashFiles([path])).get(path) ?? null;

/** Generous: a host of the rack is cheap, a machine full of tests is not. */
const PATIENCE = { timeout: 60_000 };

describe('preparing a fresh host', PATIENCE, () => {
  const RUNNING = '/boot/initrd.img-6.8.0-60-generic';
  let server: RackHost;
  let ctx: StepContext;
  let booted: string | null;
  const results = new Map<string, StepResult>();

  beforeAll(async () => {
    server = await startRackHost();
    ctx = server.context('11111111-run');
    booted = await hashOf(ctx, RUNNING);
    for (const [name, step] of steps) results.set(name, await perform(step, ctx));
  }, 60_000);
  afterAll(() => server.close());

  it('runs every step of the table, in its order', () => {
    expect([...results.keys()]).toEqual(stepsOf('node-preparation').map((step) => step.name));
    expect([...results].filter(([, result]) => !result.changed).map(([name]) => name)).toEqual([
      'preparation.enable-services',
      'preparation.validate-files',
    ]);
  });

  it('keeps the image that booted, though the packages have rebuilt the one in place', async () => {
    expect(await hashOf(ctx, RUNNING)).not.toBe(booted);
    expect(await hashOf(ctx, KNOWN_GOOD_INITRD)).toBe(booted);
    expect(await hashOf(ctx, KNOWN_GOOD_KERNEL)).toBe(await hashOf(ctx, '/boot/vmlinuz-6.8.0-60-generic'));
    expect(server.host.grubSees(KNOWN_GOOD_INITRD)).toBe(server.host.readFile(KNOWN_GOOD_INITRD));
  });

  it('keeps the menu entry that booted, with the arguments the kernel got', async () => {
    const entry = parseGrubConfig(server.host.readFile(KNOWN_GOOD_STANZA) ?? '').entries[0];
    const { commandLine } = await ctx.host.bootReading();
    expect(entry?.args.join(' ')).toBe(commandLine.trim().split(/\s+/).slice(1).join(' '));
  });

  it('has every original in the ledger, and who changed what', async () => {
    const entries = await ctx.host.ledger();
    expect(entries.every((entry) => entry.run === ctx.run.id)).toBe(true);
    expect(entries.find((entry) => entry.path === LVM_CONF_PATH)).toMatchObject({ step: 'preparation.filter-lvm' });
    expect(await readNote(ctx.host, 'installed-packages')).toContain('nfs-common');
    expect((await readNote(ctx.host, 'baseline'))?.[0]).toContain('"0000:3b:00.0":"nvidia"');
    expect(await readLedgerState(ctx.host)).toMatchObject({ run: ctx.run.id, state: 'open' });
  });

  it('changes nothing the second time', async () => {
    const before = server.host.snapshot(['/etc', '/boot']);
    for (const [name, step] of steps.slice(1))
      expect([name, (await perform(step, ctx)).changed]).toEqual([name, false]);
    expect(server.host.snapshot(['/etc', '/boot'])).toEqual(before);
  });

  it('still passes preflight, with images that never booted: the known-good copy did', async () => {
    const report = judge(await readHostFacts(ctx), server.spec);
    expect(report.checks.filter((check) => check.severity === 'block')).toEqual([]);
    expect(report.checks.find((check) => check.id === 'initrd.booted')?.text).toBe(
      'a known-good copy of what booted is in place',
    );
  });

  it('plans nothing more', async () => {
    for (const [name, step] of steps) expect([name, (await step.preview?.(ctx)) ?? []]).toEqual([name, []]);
  });

  it('waits for a unit of the run that is at work, and lets no other run take the host meanwhile', async () => {
    const unit = '--unit=gpu-provision-11111111-run-slow.service';
    await ctx.host.change([
      'systemd-run',
      unit,
      '--quiet',
      '--property=Type=oneshot',
      '--no-block',
      '--',
      'sleep',
      '3',
    ]);
    await expect(
      perform(preparationSteps['preparation.claim-host'], server.context('22222222-run')),
    ).rejects.toMatchObject({
      type: 'HostLocked',
      message: expect.stringContaining('gpu-provision-11111111-run-slow.service') as string,
    });
    await ctx.host.drainUnits();
    const state = await ctx.host.must([
      'systemctl',
      'show',
      '--property=ActiveState',
      'gpu-provision-11111111-run-slow.service',
    ]);
    expect(state.trim()).toBe('ActiveState=inactive');
  });

  it('lets no other server name, and takes a lost run over', async () => {
    const other = server.context('22222222-run');
    const renamed: StepContext = { ...other, spec: { ...other.spec, name: 'h100-02' } };
    await expect(perform(preparationSteps['preparation.claim-host'], renamed)).rejects.toMatchObject({
      type: 'HostLocked',
    } satisfies Partial<ProvisionError>);
    await perform(preparationSteps['preparation.claim-host'], other);
    await expect(ctx.host.change(['true'])).rejects.toMatchObject({ type: 'Fenced' });
    // How the host was before, the lost run knew best.
    expect((await readNote(other.host, 'baseline'))?.[0]).toContain('nvidia');
  });
});

describe('a host whose image was rebuilt after it booted', PATIENCE, () => {
  it('is refused before anything is copied: nobody knows whether that image boots', async () => {
    const server = await startRackHost();
    try {
      const ctx = server.context('11111111-run');
      await ctx.host.must(['update-initramfs', '-u', '-k', 'all']);
      await perform(preparationSteps['preparation.claim-host'], ctx);
      await expect(perform(preparationSteps['preparation.copy-known-good'], ctx)).rejects.toMatchObject({
        type: 'Blocked',
      });
      expect(server.host.readFile(KNOWN_GOOD_INITRD)).toBeNull();
    } finally {
      await server.close();
    }
  });
});
