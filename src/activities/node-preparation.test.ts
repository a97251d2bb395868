import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRackHost, type RackHost } from '../../test/support/rack-host.js';
import { parseGrubConfig } from '../domain/boot/grub-config.js';
import { judge } from '../domain/preflight/checks.js';
import { GRUB_CUSTOM_CFG, KNOWN_GOOD_CURRENT, KNOWN_GOOD_DIR } from '../domain/host-layout.js';
import { LVM_CONF_PATH } from '../domain/preparation/lvm-filter.js';
import { stepsOf, type StepResult } from '../domain/run/steps.js';
import { ProvisionError } from '../ports/failure.js';
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

/** The copy that counts. */
const copyOf = (server: RackHost): string => `${KNOWN_GOOD_DIR}/${server.host.readFile(KNOWN_GOOD_CURRENT)?.trim()}`;
const versionsOn = (server: RackHost): readonly string[] => [
  ...new Set(
    [...server.host.snapshot([KNOWN_GOOD_DIR]).keys()].flatMap(
      (path) => /\/known-good\/([^/]+)\//.exec(path)?.[1] ?? [],
    ),
  ),
];

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
    const copy = copyOf(server);
    expect(await hashOf(ctx, `${copy}/initrd.img`)).toBe(booted);
    expect(await hashOf(ctx, `${copy}/vmlinuz`)).toBe(await hashOf(ctx, '/boot/vmlinuz-6.8.0-60-generic'));
    for (const name of ['vmlinuz', 'initrd.img']) {
      expect(server.host.grubSees(`${copy}/${name}`)).toBe(server.host.readFile(`${copy}/${name}`));
      expect(server.host.grubSees(GRUB_CUSTOM_CFG)).toContain(`${copy}/${name}`);
    }
  });

  it('keeps the menu entry that booted, with the arguments the kernel got', async () => {
    const entry = parseGrubConfig(server.host.readFile(`${copyOf(server)}/stanza`) ?? '').entries[0];
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
      expect(versionsOn(server)).toEqual([]);
    } finally {
      await server.close();
    }
  });
});

describe('the known-good copy of a host', PATIENCE, () => {
  const UCODE = '/boot/intel-ucode.img';
  let server: RackHost;
  const copy = preparationSteps['preparation.copy-known-good'];
  const publish = preparationSteps['preparation.publish-known-good-default'];

  /** Another image boots, so that a new run has something new to copy. */
  async function rebootWithNewImage(): Promise<void> {
    const boots = server.host.boots.length;
    await server.host.execute(
      'update-initramfs -u -k all; touch -d 2026-01-01 /boot/initrd.img-*; rm -f /boot/grub/custom.cfg; rm -rf /var/lib/gpu-provision; sync',
    );
    server.host.gracefulRestart();
    await server.host.waitFor(({ isUp, boots: now }) => isUp && now.length > boots);
  }

  async function prepared(run: string): Promise<StepContext> {
    const ctx = server.context(run);
    await perform(preparationSteps['preparation.claim-host'], ctx);
    await perform(copy, ctx);
    return ctx;
  }

  beforeAll(async () => {
    server = await startRackHost({ files: { [UCODE]: 'microcode' } });
    const grubCfg = server.host.readFile('/boot/grub/grub.cfg') ?? '';
    server.host.writeFile('/boot/grub/grub.cfg', grubCfg.replace(/initrd\t(?=\S+6\.8\.0-60)/g, `initrd\t${UCODE} `));
    await server.host.execute('sync');
  }, 60_000);
  afterAll(() => server.close());

  it('has the microcode that the entry loaded, before the image, and in its manifest', async () => {
    const ctx = await prepared('11111111-run');
    await perform(publish, ctx);
    const directory = copyOf(server);
    expect(server.host.readFile(`${directory}/intel-ucode.img`)).toBe('microcode');
    expect(server.host.readFile(GRUB_CUSTOM_CFG)).toContain(
      `initrd ${directory}/intel-ucode.img ${directory}/initrd.img\n`,
    );
    const names = (server.host.readFile(`${directory}/manifest`) ?? '')
      .trim()
      .split('\n')
      .map((line) => line.slice(66));
    expect(names).toEqual(['vmlinuz', 'intel-ucode.img', 'initrd.img', 'stanza', 'cmdline']);
  });

  it('is made beside the older one, which goes when the new menu is in place', async () => {
    const older = copyOf(server);
    await rebootWithNewImage();
    const ctx = await prepared('22222222-run');
    expect(copyOf(server)).not.toBe(older);
    expect(versionsOn(server)).toHaveLength(2);
    await perform(publish, ctx);
    expect(versionsOn(server)).toEqual([copyOf(server).slice(KNOWN_GOOD_DIR.length + 1)]);
  });

  it('is not the one that counts when the power is cut between kernel and image', async () => {
    const older = copyOf(server);
    await rebootWithNewImage();
    const boots = server.host.boots.length;
    server.rack.faults.add({
      at: 'program',
      match: /^cp \/boot\/initrd\.img-/,
      effect: { kind: 'power-cut', restoreAfterMs: 50 },
    });
    await expect(prepared('33333333-run')).rejects.toBeInstanceOf(ProvisionError);
    await server.host.waitFor(({ isUp, boots: now }) => isUp && now.length > boots, 'the return of power', 30_000);
    expect(copyOf(server)).toBe(older);
    expect(versionsOn(server)).toHaveLength(2);
    const ctx = await prepared('33333333-run');
    expect(await copy.verify(ctx)).toMatchObject({ summary: 'kernel and image that booted are kept' });
    expect(copyOf(server)).not.toBe(older);
  });

  it('that is damaged is no copy, and its menu entry not verified', async () => {
    const ctx = server.context('33333333-run');
    await perform(publish, ctx);
    server.host.writeFile(`${copyOf(server)}/initrd.img`, 'half');
    await expect(copy.verify(ctx)).rejects.toMatchObject({ type: 'StepNotVerified' });
    await expect(publish.verify(ctx)).rejects.toMatchObject({ type: 'StepNotVerified' });
  });
});

describe('apt of an earlier attempt that is still at work', PATIENCE, () => {
  it('is waited for, though dpkg calls its packages installed: what it rebuilds is not built beside it', async () => {
    const server = await startRackHost();
    try {
      const { host, rack } = server;
      const ctx = server.context('33333333-run');
      await perform(preparationSteps['preparation.claim-host'], ctx);
      const install = preparationSteps['preparation.install-packages'];
      let goOn = (): void => undefined;
      const released = new Promise<void>((resolve) => (goOn = resolve));
      rack.faults.add({ at: 'program', match: 'update-initramfs -u', effect: { kind: 'hold', at: () => released } });
      const first = perform(install, ctx);
      await host.waitFor(() => rack.faults.struck.length > 0, 'packages that rebuild images', PATIENCE.timeout);

      const looks = (): number => host.commands().filter((line) => line.includes('list-units')).length;
      const before = looks();
      let over = false;
      const second = perform(install, ctx).finally(() => (over = true));
      await host.waitFor(() => looks() >= before + 2, 'a second look at the units', PATIENCE.timeout);
      expect(over).toBe(false);
      goOn();
      expect(await second).toMatchObject({ changed: false });
      await first;
      expect(host.programs().filter((line) => line.startsWith('update-initramfs -u'))).toHaveLength(1);
    } finally {
      await server.close();
    }
  });
});
