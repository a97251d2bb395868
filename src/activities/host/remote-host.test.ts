import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRackHost, type RackHost } from '../../../test/support/rack-host.js';
import { unitName } from '../../domain/host-layout.js';
import type { HeartbeatNote } from '../../domain/run/host-output.js';
import { ProvisionError } from '../../ports/failure.js';
import type { ExecResult, Host } from '../../ports/host.js';
import { isolationSteps } from '../gpu-isolation.js';
import type { StepContext } from '../define-step.js';
import { inspectImage } from './boot.js';
import { readLedgerState, readNote, writeNote } from './ledger.js';
import { RemoteHost } from './remote-host.js';

const RUN = { id: '0196f6a3-7c1e-7b2a-9d3e-5f60718293a4', epoch: 1 };

/** A host that answers each command as the function says; exit code 0 and nothing on stdout otherwise. */
function answering(
  answer: (argv: readonly string[]) => Partial<ExecResult>,
  heartbeat: (note: HeartbeatNote) => void = () => {},
): RemoteHost {
  const exec: Host['exec'] = (argv) =>
    Promise.resolve({ exitCode: 0, signal: null, stdout: '', stderr: '', truncated: false, ...answer(argv) });
  const host: Host = { exec, execFresh: exec, openStream: () => Promise.reject(new Error('no stream in this test')) };
  return new RemoteHost(host, RUN, new AbortController().signal, heartbeat);
}

describe('the lock of the host', () => {
  it.each(['claim', 'release'] as const)('that a change of before still holds is waited for by %s', async (act) => {
    const busy = answering((argv) => (argv[0] === 'flock' ? { exitCode: 76 } : {}));
    await expect(busy[act]()).rejects.toMatchObject({ type: 'CommandTimeout' });
  });
});

describe('a transient unit', () => {
  it('is not over while its start still queues in systemd', async () => {
    const states = ['not-found inactive', 'loaded inactive', 'loaded activating', 'loaded active'];
    const host = answering((argv) => {
      if (argv[1] !== 'show') return {};
      const [load, active] = (states.shift() ?? 'none left').split(' ');
      return { stdout: `LoadState=${load}\nActiveState=${active}\nResult=success\nExecMainStatus=0\n` };
    });
    await expect(host.runUnit('update-grub', ['update-grub'])).resolves.toMatchObject({ exitCode: 0 });
    expect(states).toEqual([]);
  });

  it('is told of by what it says last, and takes no harm from a journal that cannot be read', async () => {
    const states = ['loaded activating', 'loaded activating', 'loaded activating', 'loaded active'];
    const journal: (string | ProvisionError)[] = [
      'Setting up lvm2\n',
      new ProvisionError('CommandTimeout', 'journalctl did not end in 5 s'),
      '',
    ];
    const notes: HeartbeatNote[] = [];
    const host = answering(
      (argv) => {
        const state = argv[1] === 'show' ? (states.shift() ?? 'none left').split(' ') : null;
        if (state !== null)
          return { stdout: `LoadState=${state[0]}\nActiveState=${state[1]}\nResult=success\nExecMainStatus=0\n` };
        if (argv[0] !== 'journalctl' || !argv.includes('--quiet')) return {};
        const said = journal.shift() ?? '';
        if (said instanceof ProvisionError) throw said;
        return { stdout: said };
      },
      (note) => notes.push(note),
    );
    await expect(host.runUnit('apt', ['apt-get', 'install'])).resolves.toMatchObject({ exitCode: 0 });
    const unit = unitName(RUN.id, 'apt');
    expect(notes).toEqual([
      { kind: 'host-output', command: 'apt-get', lines: ['Setting up lvm2'] },
      `${unit} activating`,
      `${unit} activating`,
      `${unit} is over`,
    ]);
  });

  it('has a name that runs of the same minute do not share', () => {
    const next = '0196f6a3-9000-7b2a-9d3e-00112233445a';
    expect(unitName(next, 'update-grub')).not.toBe(unitName(RUN.id, 'update-grub'));
  });
});

describe('on a host', { timeout: 60_000 }, () => {
  const IMAGE = '/boot/initrd.img-6.8.0-60-generic';
  let server: RackHost;
  let ctx: StepContext;

  beforeAll(async () => {
    server = await startRackHost();
    ctx = server.context(RUN.id);
    await ctx.host.claim();
  });
  afterAll(() => server.close());

  it('two inspections of an image, one of them of an attempt that is gone, do not disturb each other', async () => {
    const [first, second] = await Promise.all([inspectImage(ctx.host, IMAGE), inspectImage(ctx.host, IMAGE)]);
    expect(second).toEqual(first);
  });

  it('a build that does not end leaves no note of an earlier one, so that undo puts the saved images back', async () => {
    await writeNote(ctx.host, 'built-images', [`${'0'.repeat(64)} ${IMAGE}`]);
    ctx.host.mustUnit = () => Promise.reject(new Error('the worker was killed'));
    await expect(isolationSteps['isolation.build-images'].apply(ctx)).rejects.toThrow('killed');
    expect(await readNote(ctx.host, 'built-images')).toBeNull();
  });

  it('the kernel is held also where the hardware enablement packages bring it', async () => {
    const stanza = 'Package: linux-generic-hwe-24.04\nStatus: install ok installed\nVersion: 6.11.0-29.29\n';
    await ctx.host.changeScript('printf "\\n%s\\n" "$1" >> /var/lib/dpkg/status', [stanza]);
    await isolationSteps['isolation.hold-kernel'].apply(ctx);
    const held = (await ctx.host.must(['apt-mark', 'showhold'])).trim().split('\n');
    expect(held).toEqual(
      expect.arrayContaining(['linux-generic', 'linux-generic-hwe-24.04', 'linux-image-6.8.0-60-generic']),
    );
  });

  it("what an earlier run put back is the next run's that changes it, and what it left is not", async () => {
    const [undone, left] = ['/etc/sysctl.d/90-undone.conf', '/etc/sysctl.d/90-left.conf'];
    for (const path of [undone, left]) await ctx.host.writeFile({ path, content: 'a = 1\n', mode: '644' }, 'first');
    await ctx.host.restoreOriginal(undone);
    const next = server.context('next').host;
    await ctx.host.release();
    await next.claim();
    for (const path of [undone, left]) await next.writeFile({ path, content: 'b = 2\n', mode: '644' }, 'second');
    const entries = new Map((await next.ledger()).map((entry) => [entry.path, entry]));
    expect(entries.get(undone)).toMatchObject({ run: 'next', step: 'second', original: null });
    expect(entries.get(left)).toMatchObject({ run: RUN.id, step: 'first', original: null });
    await next.release();
    await ctx.host.claim();
  });

  it('saving the boot state keeps copies that people made, and opens a ledger that has no state', async () => {
    await ctx.host.change(['cp', IMAGE, `${IMAGE}.bak`]);
    expect(await readLedgerState(ctx.host)).toBeNull();
    await isolationSteps['isolation.save-boot-state'].apply(ctx);
    expect(await ctx.host.exists(`${IMAGE}.bak`)).toBe(true);
    expect(await readLedgerState(ctx.host)).toMatchObject({ run: RUN.id, state: 'open' });
  });
});
