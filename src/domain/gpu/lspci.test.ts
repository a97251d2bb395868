import { describe, expect, it } from 'vitest';
import { parseLspci } from './lspci.js';

const RECORDS = `Slot:\t0000:18:00.0
Class:\t3D controller [0302]
Vendor:\tNVIDIA Corporation [10de]
Device:\tGH100 [H100 SXM5 80GB] [2330]
SVendor:\tNVIDIA Corporation [10de]
SDevice:\tDevice [16c1]
Rev:\ta1
Driver:\tnvidia
Module:\tnvidiafb
Module:\tnouveau
NUMANode:\t0
IOMMUGroup:\t29

Slot:\t0000:3b:00.0
Class:\t3D controller [0302]
Vendor:\tNVIDIA Corporation [10de]
Device:\tGH100 [H100 SXM5 80GB] [2330]
`;

describe('lspci -Dvmmnnk', () => {
  it('gives the driver, and null where lspci leaves it out', () => {
    expect(parseLspci(RECORDS)).toEqual({
      ok: true,
      value: [
        { address: '0000:18:00.0', vendorDevice: '10de:2330', driver: 'nvidia' },
        { address: '0000:3b:00.0', vendorDevice: '10de:2330', driver: null },
      ],
    });
  });

  it('refuses a record without a slot instead of leaving it out', () => {
    expect(parseLspci('Class:\t3D controller [0302]\n')).toMatchObject({ ok: false });
  });

  it('refuses a slot that is there twice: nobody could tell which of the two is so', () => {
    const twice = parseLspci(`${RECORDS}\n${RECORDS.replaceAll('nvidia\n', 'vfio-pci\n')}`);
    expect(twice).toEqual({ ok: false, problem: 'lspci lists 0000:18:00.0 twice' });
  });

  it('is empty for a host without PCI devices', () => {
    expect(parseLspci('\n')).toEqual({ ok: true, value: [] });
  });
});
