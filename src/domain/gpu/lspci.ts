/**
 * `lspci -Dvmmnnk`: of lspci's formats only -m and -vmm are promised to stay as they are (lspci(8)).
 * @module
 */
import type { PciAddress } from '../spec.js';
import type { Parsed } from './pci.js';

export interface LspciDevice {
  readonly address: PciAddress;
  /** `10de:2330`. */
  readonly vendorDevice: string;
  /** null when nothing is bound: lspci leaves the line out. */
  readonly driver: string | null;
}

const SLOT = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
/** The number of a device is in the last brackets: `GH100 [H100 SXM5 80GB] [2330]`. */
const NUMBER = /\[([0-9a-f]{4})\]$/;

/** Records are separated by empty lines, fields by a tab after the colon. */
export function parseLspci(output: string): Parsed<readonly LspciDevice[]> {
  const devices = new Map<PciAddress, LspciDevice>();
  for (const record of output.trim().split(/\n{2,}/)) {
    if (record === '') continue;
    const fields = new Map<string, string>();
    for (const line of record.split('\n')) {
      const at = line.indexOf(':\t');
      // Repeated fields (Module:) keep the first; none that repeats is read.
      if (at > 0 && !fields.has(line.slice(0, at))) fields.set(line.slice(0, at), line.slice(at + 2).trim());
    }
    const address = fields.get('Slot') ?? '';
    const vendor = NUMBER.exec(fields.get('Vendor') ?? '')?.[1];
    const device = NUMBER.exec(fields.get('Device') ?? '')?.[1];
    if (!SLOT.test(address) || vendor === undefined || device === undefined)
      return {
        ok: false,
        problem: `lspci printed a record without slot, vendor and device: ${JSON.stringify(record.slice(0, 200))}`,
      };
    if (devices.has(address)) return { ok: false, problem: `lspci lists ${address} twice` };
    devices.set(address, { address, vendorDevice: `${vendor}:${device}`, driver: fields.get('Driver') ?? null });
  }
  return { ok: true, value: [...devices.values()] };
}
