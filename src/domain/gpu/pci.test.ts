import { array, assert, boolean, constantFrom, oneof, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePciDevices } from './pci.js';

const line = (...fields: string[]): string => fields.join('\t');
const gpu = (address: string, group = '29'): string =>
  line(address, '0x10de', '0x2330', '0x030200', 'nvidia', '(null)', group, '16', '16', 'ok', '-');
const list = (...lines: string[]): string => `${lines.join('\n')}\nend\t${lines.length}\n`;

const problemOf = (output: string): string => {
  const parsed = parsePciDevices(output);
  return parsed.ok ? '' : parsed.problem;
};

describe('the list of PCI devices', () => {
  it('gives a native GPU with its group and lanes', () => {
    const parsed = parsePciDevices(list(gpu('0000:18:00.0')));
    expect(parsed.ok && parsed.value[0]).toMatchObject({
      vendorDevice: '10de:2330',
      driver: 'nvidia',
      driverOverride: null,
      iommuGroup: 29,
      linkWidth: 16,
      vfioNode: false,
    });
  });

  it('names the other devices of a group, but not bridges', () => {
    const nic = line('0000:19:00.0', '0x15b3', '0x1021', '0x020000', '-', '(null)', '29', '16', '16', 'ok', '-');
    const bridge = line('0000:17:00.0', '0x8086', '0x352a', '0x060400', '-', '(null)', '29', '16', '16', 'ok', '-');
    const parsed = parsePciDevices(list(gpu('0000:18:00.0'), nic, bridge));
    expect(parsed.ok && parsed.value[0]?.groupMembers).toEqual(['0000:19:00.0']);
  });

  it.each(['0', '255'])('takes a link width of %s for no link', (width) => {
    const device = line('0000:00:1f.0', '0x8086', '0x1b81', '0x060100', '-', '-', '-', width, width, 'ok', '-');
    const parsed = parsePciDevices(list(device));
    expect(parsed.ok && parsed.value[0]?.linkWidth).toBeNull();
  });

  it.each([
    ['nothing at all', '', 'no end'],
    ['a list that was cut short', gpu('0000:18:00.0'), 'no end'],
    ['a list with a line missing', `${gpu('0000:18:00.0')}\nend\t2\n`, 'has 1 lines and says 2'],
    ['the same address twice', list(gpu('0000:18:00.0'), gpu('0000:18:00.0')), 'listed twice'],
    ['an address without a domain', list(gpu('18:00.0')), 'not a PCI address'],
    ['a group that is no number', list(gpu('0000:18:00.0', 'x')), 'IOMMU group'],
    ['a driver that is no name', list(gpu('0000:18:00.0').replace('nvidia', 'vfio-pci\u001b[2J')), 'name of a driver'],
    ['a driver with a tab', list(gpu('0000:18:00.0').replace('nvidia', 'a\tvfio-pci')), '12 fields'],
    ['a driver with a line break', list(gpu('0000:18:00.0').replace('nvidia', 'a\nvfio-pci')), '2 lines and says 1'],
    ['another number of fields', list('0000:18:00.0\t0x10de'), '2 fields'],
    ['a shell error instead of a list', 'sh: 3: Syntax error\n', 'no end'],
  ])('reports %s', (_, output, says) => {
    expect(problemOf(output)).toContain(says);
  });

  it('answers whatever is sent to it', () => {
    const word = oneof(string(), constantFrom('0000:18:00.0', '0x10de', '0x030200', '-', 'ok', 'node', '29'));
    const row = array(word, { maxLength: 13 }).map((fields) => fields.join('\t'));
    assert(
      property(array(row), boolean(), (rows, ended) => {
        const parsed = parsePciDevices(ended ? list(...rows) : rows.join('\n'));
        expect(parsed.ok ? '' : parsed.problem.slice(0, 500)).toBe(parsed.ok ? '' : parsed.problem);
      }),
    );
  });
});
