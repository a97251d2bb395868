import { describe, expect, it } from 'vitest';
import { NOTICE_PATH } from '../../src/domain/host-layout.js';
import { story } from '../support/provision-run.js';
import { ISOLATION, type Site, withSite } from './rig.js';

/** Only in a boot of the trial entry. */
const TRIAL = 'gpu-provision.trial=';
const LIMIT_MS = 900_000;

/** What the journal of the host tells of a run, without the consequences and what is repeated. */
async function told(site: Site, runId: string): Promise<readonly string[]> {
  const { stdout } = await site.host.execute('journalctl -t gpu-provision -o cat');
  const start = `run ${runId} of ${site.spec.name}: `;
  const lines = stdout.split('\n').filter((line) => line.startsWith(start));
  const events = lines.map((line) => line.slice(start.length).replace(/\. Staged: .*/, ''));
  return events.filter((event, at) => event !== events[at - 1]);
}

const rebootSaid = (site: Site): string | undefined =>
  /^ {2}a reboot +(.*)$/m.exec(site.host.readFile(NOTICE_PATH) ?? '')?.[1];

describe.concurrent('whoever logs in to a host that a run has', () => {
  it('reads what a reboot would do, until the run has committed and gives it back', { timeout: LIMIT_MS }, () =>
    withSite({ limitMs: LIMIT_MS }, async (site) => {
      const run = await site.begin(ISOLATION);
      await run.untilAsked('reboot');
      expect(site.host.readFile(NOTICE_PATH)).toContain(`gpu-provision status ${site.spec.name} `);
      expect(rebootSaid(site)).toBe('boots known-good, a copy of what has booted before');
      await run.approve();
      await site.host.waitFor((host) => host.boots.length === 2 && host.isUp, 'the trial', LIMIT_MS);
      // Written in the boot before: the file outlives the reboot, and its words hold on both sides of it.
      expect(rebootSaid(site)).toBe('boots it, once; a reboot of that boot boots known-good');
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('provisioned');
      expect(site.host.readFile(NOTICE_PATH)).toBeNull();
      expect(await told(site, status.runId)).toEqual([
        'takes this host',
        'known-good is the default',
        'the trial entry is staged',
        'arms one boot, and asks for a reboot',
        'the proven entry is the default',
        'committed',
        'gives this host back',
      ]);
    }),
  );

  it('and when the trial has failed, until the host is verified to be as before', { timeout: LIMIT_MS }, () =>
    withSite(
      {
        limitMs: LIMIT_MS,
        faults: [{ at: 'pci-bind', match: '0000:87:00.0', boot: TRIAL, effect: { kind: 'native-wins' }, times: 9 }],
      },
      async (site) => {
        const run = await site.begin(ISOLATION);
        await run.approve();
        await site.host.waitFor((host) => host.boots.length === 3 && host.isUp, 'the ordinary boot', LIMIT_MS);
        expect(rebootSaid(site)).toBe('boots that entry, once; a reboot of that boot boots known-good');
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('restored');
        expect(site.host.readFile(NOTICE_PATH)).toBeNull();
        const events = await told(site, status.runId);
        expect(events.slice(events.indexOf('takes back what it did'))).toEqual([
          'takes back what it did',
          'disarmed',
          'the ordinary default is staged',
          'arms one boot, and asks for a reboot',
          'disarmed',
          'known-good is the default no more',
          'restored: the host is verified to be as before',
          'gives this host back',
        ]);
      },
    ),
  );

  it(
    'reads one that could not be taken away, which the run tells and the next run makes good',
    { timeout: LIMIT_MS },
    () =>
      withSite(
        {
          limitMs: LIMIT_MS,
          faults: [{ at: 'ssh', match: /rm -f "\$1".*motd\.d/s, effect: { kind: 'drop-link', when: 'before' } }],
        },
        async (site) => {
          const first = await (await site.begin(['preflight', 'node-preparation'])).end();
          expect(first.outcome, story(first)).toBe('provisioned');
          const remains = first.findings.filter(({ area }) => area === 'remains').map(({ text }) => text);
          expect(remains.join()).toContain(`${NOTICE_PATH}, which people see when they log in: `);
          expect(site.host.readFile(NOTICE_PATH)).toContain(first.runId);

          const second = await (await site.begin(['preflight', 'node-preparation'])).end();
          expect(second.outcome, story(second)).toBe('provisioned');
          expect(second.findings.map(({ text }) => text).join()).not.toContain(NOTICE_PATH);
          expect(site.host.readFile(NOTICE_PATH)).toBeNull();
        },
      ),
  );
});
