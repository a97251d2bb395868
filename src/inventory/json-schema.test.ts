import { Ajv } from 'ajv';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { edited, EXAMPLE } from './example-site.js';

const SCHEMA = JSON.parse(readFileSync(new URL('../../inventory.schema.json', import.meta.url), 'utf8'));
// strict: false because of anyOf with formats beside type; an editor's validator knows formats, Ajv's core does not.
const validate = new Ajv({ strict: false, formats: { ipv4: true, ipv6: true, uri: true } }).compile(SCHEMA);

/** Another implementation of JSON Schema than the one that wrote it, as an editor would use. */
describe('inventory.schema.json, to an editor', () => {
  it('the example is right', () => expect(validate(parse(EXAMPLE))).toBe(true));

  it.each([
    ['an unknown key', '    serial:', '    seriel:', '/servers/h100-01'],
    ['a PCI address', "'18:00.0'", "'18:00.9'", '/servers/h100-01/gpus/addresses/1'],
    ['a duration', 'deadMan: 30m', 'deadMan: 30min', '/defaults/boot/deadMan'],
    ['a password', 'env:BMC_H100_01', 'calvin', '/servers/h100-01/bmc/credentials'],
    ['an unset nvswitch', 'nvswitch: none', 'nvswitch:', '/servers/h100-01/gpus/nvswitch'],
    ['a server name', '  h100-01:', '  H100:', '/servers'],
  ])('%s is wrong, in its place', (_, from, to, place) => {
    expect(validate(parse(edited([from, to])))).toBe(false);
    expect(validate.errors?.map((error) => error.instancePath)).toContain(place);
  });
});
