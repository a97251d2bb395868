/**
 * The FRU data of a system: what `ipmitool fru print` shows as its product.
 * @module
 */

/** Units of the format: lengths and offsets are counted in eights of bytes. */
const UNIT = 8;
const VERSION = 1;
const ENGLISH = 25;
const NO_MORE_FIELDS = 0xc1;
/** Length byte of a text in Latin-1. */
const LATIN1 = 0xc0;

/** IPMI Platform Management FRU Information Storage Definition v1.0: a common header and a product info area. */
export function fruData({ model, serial }: { readonly model: string; readonly serial: string }): Uint8Array {
  // Manufacturer, name, part, version, serial, asset tag, file id.
  const fields = ['GPU-Provision Lab', model, '', '', serial, '', ''].flatMap((field) => {
    const text = Buffer.from(field, 'latin1').subarray(0, 0x3f);
    return [LATIN1 | text.length, ...text];
  });
  const body = [VERSION, 0, ENGLISH, ...fields, NO_MORE_FIELDS];
  const units = Math.ceil((body.length + 1) / UNIT);
  body[1] = units;
  const area = [...body, ...Array.from({ length: units * UNIT - 1 - body.length }, () => 0)];
  const header = [VERSION, 0, 0, 0, 1, 0, 0];
  return Uint8Array.from([...withChecksum(header), ...withChecksum(area)]);
}

/** The bytes sum up to zero. */
function withChecksum(bytes: readonly number[]): readonly number[] {
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  return [...bytes, (0x100 - (sum % 0x100)) % 0x100];
}
