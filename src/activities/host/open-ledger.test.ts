import { describe, expect, it } from 'vitest';
import { ScriptedHost, stepContext, type Rule } from '../../../test/support/scripted-host.js';
import { GPU_ADDRESSES } from '../../../test/support/server-spec.js';
import { isolationSteps } from '../gpu-isolation.js';
import { LIST_PCI_DEVICES } from './devices.js';
import { WRITE_FILE } from './scripts.js';

const LEDGER = '/var/lib/gpu-provision/ledger';
const DEVICES = `${GPU_ADDRESSES.map((address, index) => `${address}	0x10de	0x2330	0x030200	vfio-pci	vfio-pci	${20 + index}	16	16	ok	node`).join('\n')}
end	8
`;

/** A host with a committed ledger and its notes, whose archiving and writing is played. */
function committedHost(): { host: ScriptedHost; files: Map<string, string> } {
  const files = new Map([
    [`${LEDGER}/run`, '{"run":"run-old","state":"committed","at":"2026-01-01T00:00:00Z"}\n'],
    [`${LEDGER}/notes/server`, 'h100-01\n'],
    [`${LEDGER}/notes/baseline`, '{"of":"run-old"}\n'],
    [`${LEDGER}/notes/held-packages`, 'linux-generic\n'],
  ]);
  const rules: Rule[] = [
    { when: /^cat /, answer: ([, path]) => files.get(path ?? '') ?? 1 },
    { when: /^test -e /, answer: ([, , path]) => (files.has(path ?? '') ? 0 : 1) },
    { when: LIST_PCI_DEVICES, answer: DEVICES },
    { when: /^systemctl list-units --state=failed/, answer: '' },
    { when: /^find \/boot/, answer: '/boot/initrd.img-6.8.0-60-generic\n' },
    {
      when: /^flock /,
      answer: (argv, stdin) => {
        const script = argv[argv.lastIndexOf('-c') + 1];
        if (script === WRITE_FILE) files.set(argv.at(-3) ?? '', stdin);
        if (argv.at(-1) === '/var/lib/gpu-provision/archive/run-old') files.clear();
        return '';
      },
    },
  ];
  return { host: new ScriptedHost(rules), files };
}

describe('a ledger that is opened in the place of a committed one', () => {
  it('says whose host it is, and how it was before this run', async () => {
    const { host, files } = committedHost();
    await isolationSteps['isolation.save-boot-state'].apply(stepContext(host));
    expect(files.get(`${LEDGER}/notes/server`)).toBe('h100-01\n');
    expect(JSON.parse(files.get(`${LEDGER}/notes/baseline`) ?? '')).toEqual({
      linkWidths: Object.fromEntries(GPU_ADDRESSES.map((address) => [address, 16])),
      nativeDrivers: Object.fromEntries(GPU_ADDRESSES.map((address) => [address, 'vfio-pci'])),
      failedUnits: [],
    });
    expect(files.get(`${LEDGER}/notes/held-packages`)).toBeUndefined();
    expect(JSON.parse(files.get(`${LEDGER}/run`) ?? '')).toMatchObject({ run: 'run-now', state: 'open' });
    // A worker that dies in between must find either no ledger or a whole one.
    expect([...files.keys()].at(-1)).toBe(`${LEDGER}/run`);
  });
});
