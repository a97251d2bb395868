import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, it } from 'vitest';
import { connectProvision } from '../../src/client.js';
import { verifyWorkflowId, WORKFLOW_QUEUE } from '../../src/domain/run/messages.js';
import type { VerifyInput, VerifyItem, VerifyReport } from '../../src/domain/verify.js';
import { story } from '../support/provision-run.js';
import { ISOLATION, type Site, withSite } from './rig.js';

const HOOK = '/etc/initramfs-tools/scripts/init-top/vfio-pci-override';
const IMAGE = '/boot/initrd.img-6.8.0-60-generic';
const LATER = '6.8.0-62-generic';
/** A provisioning and three checks on a machine that others work on. */
const LIMIT_MS = 900_000;
const POLL = { timeout: 60_000 };

const wrong = ({ items }: VerifyReport): readonly VerifyItem[] => items.filter(({ state }) => state !== 'ok');
const said = (report: VerifyReport): readonly string[] => wrong(report).map(({ id, text }) => `${id}: ${text}`);

/** What somebody does behind our back. Each line must be said, and nothing else may be. */
const DRIFTS: readonly { readonly name: string; readonly command: string; readonly said: readonly RegExp[] }[] = [
  {
    name: 'a GPU leaves vfio-pci',
    command: 'echo 0000:87:00.0 > /sys/bus/pci/drivers/vfio-pci/unbind',
    said: [/^device: 0000:87:00\.0: driver is -, expected vfio-pci/],
  },
  {
    name: 'a kernel is held no more',
    command: 'apt-mark unhold linux-image-6.8.0-60-generic',
    said: [/^kernel\.held: not held: linux-image-6\.8\.0-60-generic; an upgrade would make/],
  },
  {
    name: 'the known-good copy is damaged',
    command: 'for file in /boot/gpu-provision/known-good/*/initrd.img; do echo damaged >> $file; done',
    said: [
      /^known-good\.copy: .* holds no complete and undamaged copy/,
      /^preparation\.copy-known-good: .* holds no complete and undamaged copy/,
    ],
  },
  {
    name: 'a service is stopped',
    command: 'systemctl stop multipathd.service',
    said: [
      /^preparation\.enable-services: multipathd\.service is not running/,
      /^preparation\.exclude-drbd: multipathd does not run with the blacklist/,
    ],
  },
  {
    name: 'the hook is edited, and an image is rebuilt with it',
    command: `echo '# edited' >> ${HOOK} && update-initramfs -u -k 6.8.0-60-generic`,
    said: [
      new RegExp(`^boot\\.file: ${HOOK} is not as it was committed`),
      new RegExp(`^boot\\.file: ${IMAGE} is not as it was committed`),
      /^isolation\.write-hook: .* does not read back as written/,
      new RegExp(`^isolation\\.inspect-images: ${IMAGE}: vfio-pci-override in the image is another version`),
    ],
  },
  {
    name: 'a kernel is installed, whose image is built without the hook',
    command: `chmod 644 ${HOOK} && apt-get install -y linux-image-${LATER} && chmod 755 ${HOOK}`,
    said: [
      /^boot\.file: \/boot\/grub\/grub\.cfg is not as it was committed/,
      /^boot\.default: the default entry boots .*6\.8\.0-62-generic, proven was .*6\.8\.0-60-generic/,
      new RegExp(`^kernel\\.later: kernel ${LATER} .* its image does not isolate the GPUs: `),
    ],
  },
];

it(
  'of a provisioned server finds nothing, then exactly what was changed behind its back; by a schedule too',
  { timeout: LIMIT_MS },
  () =>
    withSite({ limitMs: LIMIT_MS }, async (site) => {
      const run = await site.begin(ISOLATION);
      await run.approve();
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('provisioned');

      const before = site.snapshot();
      const clean = await site.verify();
      expect(said(clean)).toEqual([]);
      expect(clean).toMatchObject({ verdict: 'ok', holder: null });
      const ids = clean.items.map(({ id }) => id);
      for (const id of ['ledger', 'boot.entry', 'boot.default', 'known-good.copy', 'kernel.held', 'kernel.later'])
        expect(ids).toContain(id);
      expect(ids.filter((id) => id === 'device')).toHaveLength(site.spec.gpus.addresses.length);
      expect(site.snapshot()).toEqual(before);

      for (const { name, command } of DRIFTS)
        expect(await site.host.execute(command), name).toMatchObject({ exitCode: 0 });
      const report = await site.verify();
      expect(report.verdict).toBe('drift');
      const lines = said(report);
      for (const { name, said: wanted } of DRIFTS)
        for (const line of wanted) expect(lines, name).toContainEqual(expect.stringMatching(line));
      const expected = DRIFTS.flatMap(({ said: wanted }) => wanted);
      expect(lines.filter((line) => !expected.some((wanted) => wanted.test(line)))).toEqual([]);
      for (const { id, remedy } of wrong(report)) expect(remedy, id).not.toBe('');
      expect(site.host.boots).toHaveLength(2);

      await bySchedule(site);
    }),
);

async function bySchedule({ spec }: Site): Promise<void> {
  const address = inject('temporalAddress');
  const [client, connection, native] = await Promise.all([
    connectProvision({ address, env: {} }),
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
  ]);
  const worker = await Worker.create({
    connection: native,
    taskQueue: WORKFLOW_QUEUE,
    workflowBundle: { codePath: inject('workflowBundle') },
  });
  const working = worker.run();
  try {
    const input: VerifyInput = { spec, phases: ['gpu-isolation'] };
    expect(await client.scheduleVerify(input, 86_400)).toMatchObject({ everySeconds: 86_400 });
    const weekly = await client.scheduleVerify(input, 604_800);
    expect(weekly).toMatchObject({ scheduleId: verifyWorkflowId(spec.name), everySeconds: 604_800 });
    expect(Date.parse(weekly.next ?? '')).toBeGreaterThan(Date.now());

    const { workflow, schedule } = new Client({ connection });
    const handle = schedule.getHandle(weekly.scheduleId);
    await handle.trigger();
    const started = async (): Promise<string | undefined> =>
      (await handle.describe()).info.recentActions[0]?.action.workflow.workflowId;
    await expect.poll(started, POLL).toBeDefined();
    const report = (await workflow.getHandle((await started()) ?? '').result()) as VerifyReport;
    expect(report.verdict).toBe('drift');
    // As any list of Temporal finds it.
    const ofServer = `ProvisionServer="${spec.name}" AND WorkflowType="verifyServer"`;
    const found = async (): Promise<number> => (await workflow.count(`${ofServer} AND ProvisionOutcome="drift"`)).count;
    await expect.poll(found, POLL).toBe(1);

    await client.unscheduleVerify(spec.name);
    await expect(client.unscheduleVerify(spec.name)).rejects.toMatchObject({ kind: 'not-found' });
  } finally {
    worker.shutdown();
    await working;
    await Promise.all([client.close(), connection.close(), native.close()]);
  }
}

it('says that no run has committed, and claims nothing while a run holds the host', () =>
  withSite({}, async (site) => {
    expect(await site.verify(['gpu-isolation'])).toMatchObject({
      verdict: 'drift',
      items: expect.arrayContaining([
        expect.objectContaining({ id: 'ledger', text: 'no run has committed anything here' }),
      ]) as unknown,
    });
    await site.host.execute('mkdir -p /var/lib/gpu-provision && echo "run-1 1" > /var/lib/gpu-provision/fence');
    expect(await site.verify()).toMatchObject({ verdict: 'busy', holder: 'run-1', items: [] });
  }));
