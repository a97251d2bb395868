/**
 * The audit record of whole runs, in a real file, which cannot be written at first.
 */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readAudit } from '../support/audit.js';
import { story } from '../support/provision-run.js';
import { withSite } from './rig.js';

/** Two runs on a machine that others work on. */
const LIMIT_MS = 600_000;

it(
  'has every moment once, in order, although its file could not be written while the run began',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gpu-provision-audit-'));
    const inTheWay = join(folder, 'state');
    const audit = join(inTheWay, 'audit.jsonl');
    try {
      await writeFile(inTheWay, 'a file where the folder should be');
      await withSite({ audit, limitMs: LIMIT_MS }, async (site) => {
        const run = await site.begin();
        const { plan } = await run.untilAsked('reboot');
        const waiting = await run.until(({ events }) => events.some(({ kind }) => kind === 'audit'));
        expect(waiting.events.find(({ kind }) => kind === 'audit')?.text).toMatch(
          /^the audit record waits: (EEXIST|ENOTDIR): /,
        );
        await rm(inTheWay);
        await run.approve();
        const status = await run.end();
        expect(status.outcome, story(status)).toBe('provisioned');
        const lines = await readAudit(audit);
        const whats = ['started', 'gate-open', 'decision', 'reboot', 'committed', 'outcome'];
        expect(lines.map(({ what }) => what)).toEqual(whats);
        expect(lines.map(({ id }) => id)).toEqual(whats.map((_, i) => `${status.runId}:${i + 1}`));
        for (const { server, site: of } of lines) expect([server, of]).toEqual([site.spec.name, site.spec.site]);
        const [{ by } = { by: '' }] = status.decisions;
        expect(lines[2]).toMatchObject({ who: by, digest: plan?.digest });
        expect((await stat(audit)).mode & 0o777).toBe(0o600);

        const back = await site.beginDay2('decommission');
        await back.answer('reject', 'decommission');
        const rejected = await back.end();
        const more = (await readAudit(audit)).slice(whats.length);
        expect(more.map(({ what }) => what)).toEqual(['started', 'gate-open', 'decision', 'outcome']);
        expect(more.map(({ run: of }) => of)).toEqual(more.map(() => rejected.runId));
        expect(more[2]?.text).toMatch(/^decommission rejected /);
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  LIMIT_MS,
);
