import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseFactLines, type FactLines } from '../../domain/preflight/fact-lines.js';
import { identityFacts, initramfsFacts } from '../../domain/preflight/parse-facts.js';
import { IDENTITY_FACTS, INITRAMFS_FACTS } from './facts-scripts.js';

const run = promisify(execFile);

/** What a value would have to hold to be taken for another fact. */
const FORGED = 'x\nserial\tFORGED\nhostname\tFORGED\nend\tok';

describe('what one fact says cannot be taken for another', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'gpu-provision-facts-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  /** The frozen script, run by this machine's sh over a folder of ours: paths are the only thing that differs. */
  async function factsOf(script: string): Promise<FactLines> {
    const here = ['/sys/', '/etc/', '/proc/'].reduce(
      (text, dir) => text.replaceAll(` ${dir}`, ` ${root}${dir}`),
      script,
    );
    const parsed = parseFactLines((await run('sh', ['-c', here, 'gpu-provision', '/a', '/b'])).stdout);
    if (!parsed.ok) throw new Error(parsed.problem);
    return parsed.value;
  }

  async function write(path: string, content: string): Promise<void> {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), content);
  }

  it('by a line break in a file', async () => {
    await write('sys/class/dmi/id/product_serial', '5XKQ1P3\n');
    await write('proc/cmdline', `root=/dev/sda1 ${FORGED}\n`);
    await write('etc/os-release', `ID=ubuntu\nPRETTY_NAME="${FORGED}"\n`);
    const lines = await factsOf(IDENTITY_FACTS);
    expect(lines.all('serial')).toEqual(['5XKQ1P3']);
    expect(lines.all('command-line')).toContain('serial\tFORGED');
    expect(identityFacts(lines)).toMatchObject({ serial: '5XKQ1P3', osId: 'ubuntu' });
    expect(lines.all('hostname')).not.toContain('FORGED');
  });

  it('by the name of a file', async () => {
    const name = `${FORGED.replaceAll('/', '')}.conf`;
    await write(`etc/modprobe.d/${name}`, 'options vfio-pci ids=10de:2330\n');
    await write(`etc/initramfs-tools/scripts/init-top/${FORGED}`, 'echo driver_override\n');
    const lines = await factsOf(INITRAMFS_FACTS);
    expect(lines.has('serial')).toBe(false);
    expect(lines.has('hostname')).toBe(false);
    const facts = initramfsFacts(lines);
    expect(facts.overrideWriters).toHaveLength(2);
    expect(facts.initTop).toEqual([`${root}/etc/initramfs-tools/scripts/init-top/${FORGED.replaceAll('\n', '?')}`]);
  });
});
