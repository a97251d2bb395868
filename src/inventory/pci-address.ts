import type { PciAddress } from '../domain/spec.js';

/** `0a:00.0` or `0000:0a:00.0`: bus, device up to 1f, function up to 7; hexadecimal in either case. */
export const PCI_ADDRESS = /^([0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]$/;

/** The full form in lower case. Throws RangeError for what is no address. */
export function fullPciAddress(text: string): PciAddress {
  if (!PCI_ADDRESS.test(text)) throw new RangeError(`not a PCI address: ${text}`);
  return (text.length === '00:00.0'.length ? `0000:${text}` : text).toLowerCase();
}

const FORM = 'a PCI address, e.g. "0a:00.0" or "0000:0a:00.0"';
const PARTS = /^(?:([^:]*):)?([^:]*):([^:.]*)\.([^:.]*)$/;

/** What would have been right, as narrow as the mistake allows. */
export function expectedPciAddress(written: unknown): string {
  const [, domain, bus = '', device = '', func = ''] = (typeof written === 'string' && PARTS.exec(written)) || [];
  const rules: readonly (readonly [wrong: boolean, rule: string])[] = [
    [domain !== undefined && !/^[0-9a-f]{4}$/i.test(domain), 'the domain is four hexadecimal digits'],
    [!/^[0-9a-f]{2}$/i.test(bus), 'the bus is two hexadecimal digits'],
    [!/^[01][0-9a-f]$/i.test(device), 'the device is 00 to 1f'],
    [!/^[0-7]$/.test(func), 'the function is 0 to 7'],
  ];
  // When more than half of the parts are wrong it was meant as something else.
  const broken = rules.filter(([wrong]) => wrong).map(([, rule]) => rule);
  return broken.length === 0 || broken.length > 2 ? FORM : `${FORM}: ${broken.join(', ')}`;
}
