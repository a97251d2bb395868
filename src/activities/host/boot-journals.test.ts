import { describe, expect, it } from 'vitest';
import { ScriptedHost, stepContext } from '../../../test/support/scripted-host.js';
import type { ArtifactStore } from '../../ports/artifacts.js';
import { Evidence } from '../evidence.js';
import { keepBootJournals } from './boot-journals.js';

const LIST = 'journalctl --list-boots --output=json --no-pager';
const ids = ['0', '1', '2', '3', '4', '5', '6'].map((digit) => digit.repeat(32));
/** As systemd 255 prints it: oldest first. */
const boots = JSON.stringify(
  ids.map((id, i) => ({ index: i - ids.length + 1, boot_id: id, first_entry: i, last_entry: i })),
);
const uuid = (id: string): string => id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

const store: ArtifactStore = {
  url: 'file:///x',
  put: async (text) => ({ sha256: 'a'.repeat(64), bytes: text.length }),
  get: async () => '',
};

async function kept(list: string | number, stagedIn: string) {
  const host = new ScriptedHost([
    { when: LIST, answer: list },
    { when: /^journalctl -b -3 /, answer: { exitCode: 1, stderr: 'no journal files were found' } },
    { when: /^journalctl -b /, answer: (argv) => `journal of ${argv[2]}` },
  ]);
  const { host: remote, signal } = stepContext(host);
  const evidence = new Evidence(store, signal);
  await keepBootJournals(remote, evidence, stagedIn);
  return { read: host.commands.slice(1).map((line) => line.split(' ')[2]), evidence };
}

describe('journals of boots that failed', () => {
  it('are those since the one that ran while staging', async () => {
    const { read, evidence } = await kept(boots, uuid(ids[4]!));
    expect(read).toEqual(['-1', '0']);
    expect(evidence.artifacts.map(({ name }) => name)).toEqual([
      'journal-of-boot-55555555.log',
      'journal-of-boot-66666666.log',
    ]);
  });

  it('are none while that one still runs', async () => {
    expect((await kept(boots, uuid(ids[6]!))).read).toEqual([]);
  });

  it('are the last four where that one is not in the journal, and one that cannot be read hides no other', async () => {
    const { read, evidence } = await kept(boots, uuid('f'.repeat(32)));
    expect(read).toEqual(['-3', '-2', '-1', '0']);
    expect(evidence.artifacts.map(({ problem }) => problem)).toEqual([
      expect.stringContaining('no journal files were found'),
      null,
      null,
      null,
    ]);
  });

  it.each([['no JSON'], ['[]'], ['{"index":0}'], ['[{"index":"0","boot_id":7}]'], [1]])(
    'are none where the list is %j',
    async (list) => {
      expect((await kept(list, uuid(ids[4]!))).read).toEqual([]);
    },
  );
});
