import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectedPciAddress, fullPciAddress } from './pci-address.js';

const address = fc
  .record({
    domain: fc.integer({ min: 0, max: 0xffff }),
    bus: fc.integer({ min: 0, max: 0xff }),
    device: fc.integer({ min: 0, max: 0x1f }),
    func: fc.integer({ min: 0, max: 7 }),
  })
  .map(({ domain, bus, device, func }) => ({
    domain: hex(domain, 4),
    rest: `${hex(bus, 2)}:${hex(device, 2)}.${func}`,
  }));

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

describe('PCI addresses', () => {
  it('every address has one full form, however it was written', () => {
    fc.assert(
      fc.property(address, ({ domain, rest }) => {
        const full = `${domain}:${rest}`;
        expect(fullPciAddress(full)).toBe(full);
        expect(fullPciAddress(full.toUpperCase())).toBe(full);
        expect(fullPciAddress(rest)).toBe(`0000:${rest}`);
      }),
    );
  });

  it('nothing with another character, or one more or less, is an address', () => {
    const index = fc.integer({ min: 0, max: 11 });
    fc.assert(
      fc.property(address, index, fc.constantFrom('', 'g', ' ', '00'), ({ domain, rest }, at, text) => {
        const full = `${domain}:${rest}`;
        expect(() => fullPciAddress(full.slice(0, at) + text + full.slice(at + 1))).toThrow(RangeError);
      }),
    );
  });

  it.each(['0a:20.0', '0a:00.8', '0a:00', '0a.00.0', '0a:00.0\n', ''])('refuses %j', (text) =>
    expect(() => fullPciAddress(text)).toThrow(RangeError),
  );

  it.each([
    ['0a:00.8', 'the function is 0 to 7'],
    ['0a:20.0', 'the device is 00 to 1f'],
    ['a:00.0', 'the bus is two hexadecimal digits'],
    ['000:0a:00.0', 'the domain is four hexadecimal digits'],
  ])('says what is wrong with %s', (text, rule) => expect(expectedPciAddress(text)).toMatch(new RegExp(`: ${rule}$`)));
});
