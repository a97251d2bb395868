import { describe, expect, inject, it } from 'vitest';
import { connectProvision } from '../../src/client.js';
import { renderWatch } from '../../src/domain/text/watch.js';
import { story } from '../support/provision-run.js';
import { payloadsIn, payloadText } from '../support/traces.js';
import { historyJson } from '../workflow/histories.js';
import { ISOLATION, withSite } from './rig.js';

const LIMIT_MS = 900_000;
/** The password of the rig's BMC, which the worker reads in preflight. */
const SECRET = 'rack-only';
/** Of somebody else: initramfs-tools asks it for what it needs when it builds, and it talks. */
const TALKS = `#!/bin/sh
case "$1" in
  prereqs) logger "bmc password ${SECRET}"; logger "$(printf '\\033[2Jover your screen')"; exit 0 ;;
esac
`;

describe('whoever watches a run', () => {
  it('sees what a long command on the host says, and no secret', { timeout: LIMIT_MS }, () =>
    withSite({ limitMs: LIMIT_MS, host: { initramfsMilliseconds: 3_000 } }, async (site) => {
      site.host.writeFile('/etc/initramfs-tools/scripts/init-top/zz-talks', TALKS, 0o755);
      const client = await connectProvision({ address: inject('temporalAddress'), env: {} });
      const run = await site.begin(ISOLATION);
      const told: string[] = [];
      const frames: string[] = [];
      try {
        // Its sites share a Temporal server, so that the run's id has the name of the site.
        for await (const { view, output } of client.watch(`${site.spec.site}/${site.spec.name}`)) {
          told.push(...output);
          if (view.output !== null) frames.push(renderWatch(view, { width: 100, keys: false }).join('\n'));
          if (view.status?.question?.kind === 'reboot') break;
        }
      } finally {
        await client.close();
      }
      await run.answer('reject', 'reboot');
      const status = await run.end();
      expect(status.outcome, story(status)).toBe('rejected');

      const generating = 'update-initramfs: Generating /boot/initrd.img-6.8.0-60-generic';
      expect(told).toContain(generating);
      expect(told.join('\n')).toContain('bmc password [redacted]');
      expect(told.join('\n')).toContain('[2Jover your screen');
      expect(frames.join('\n')).toContain(`   host     update-initramfs says\n`);
      expect(frames.join('\n')).toContain(`     | ${generating}`);
      for (const text of [...told, ...frames]) {
        expect(text).not.toContain(SECRET);
        expect(text).not.toContain('\u001b');
      }
      // Heartbeats only: the history has the steps' results, and not what was said meanwhile.
      const payloads = payloadsIn(JSON.parse(historyJson(await run.handle.fetchHistory())))
        .map(payloadText)
        .join('\n');
      expect(payloads).toContain('images rebuilt');
      expect(payloads).not.toContain('host-output');
    }),
  );
});
