/**
 * Kinds of fields. Every error text here says what would be right; what was found is added where the error is reported, because
 * only there is it known how the value was written. So no text here repeats a value, and secrets stay out of messages.
 * @module
 */
import { isIP } from 'node:net';
import * as z from 'zod';
import { SECRET_REF_PATTERN, SECRET_REF_TEXT } from '../domain/secret-ref.js';
import { DURATION } from './duration.js';

/** The error of a secret that is not a reference. Where this is the error, the value must not be shown. */
export const EXPECTED_SECRET = `a reference to a secret, never the secret itself: ${SECRET_REF_TEXT}`;

export interface FieldTexts {
  /** What would be right, as a noun: `an IP address, e.g. 192.0.2.11`. A function narrows it by what was written. */
  readonly expected: string | ((written: unknown) => string);
  /** For the editor and the reference. */
  readonly description: string;
  /** What applies when it is left out, for the reference. */
  readonly default?: string | number;
}

function errorOf({ expected }: FieldTexts): (issue: { input?: unknown }) => string {
  return (issue) => (typeof expected === 'string' ? expected : expected(issue.input));
}

function meta(texts: FieldTexts): { description: string; default?: string | number } {
  return { description: texts.description, ...(texts.default === undefined ? {} : { default: texts.default }) };
}

export function text(pattern: RegExp, texts: FieldTexts): z.ZodString {
  return z
    .string({ error: errorOf(texts) })
    .regex(pattern, { error: errorOf(texts) })
    .meta(meta(texts));
}

export function oneOf<const V extends string>(values: readonly V[], texts: FieldTexts): z.ZodEnum<{ [K in V]: K }> {
  return z.enum(values, { error: errorOf(texts) }).meta(meta(texts));
}

export function count(texts: FieldTexts): z.ZodInt {
  return z
    .int({ error: errorOf(texts) })
    .min(1, { error: errorOf(texts) })
    .max(MOST)
    .meta(meta(texts));
}

/** No machine has more of anything that is counted here. */
const MOST = 100_000;

export function duration(description: string, byDefault: string): z.ZodString {
  return text(DURATION, {
    expected: 'a duration: a whole number and s, m, h or d, e.g. 30m',
    description,
    default: byDefault,
  });
}

/** Kubernetes quantities of bytes; kept as text, since the cluster gets them as they are. */
export function size(description: string): z.ZodString {
  return text(/^[1-9][0-9]{0,8}(Mi|Gi|Ti|M|G|T)$/, {
    expected: 'a size: a whole number and Mi, Gi, Ti, M, G or T, e.g. 512Gi',
    description,
  });
}

/** Zod's own address patterns are hundreds of characters long in the JSON schema; editors know the two formats by name. */
export function ipAddress(description: string): z.ZodString {
  const texts: FieldTexts = { expected: 'an IP address, e.g. 192.0.2.11', description };
  return z
    .string({ error: errorOf(texts) })
    .refine((value) => isIP(value) !== 0, { error: errorOf(texts) })
    .meta({ ...meta(texts), anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] });
}

export function secret(description: string): z.ZodString {
  return text(SECRET_REF_PATTERN, { expected: EXPECTED_SECRET, description });
}

/** `pattern` sees the part after the scheme. A user and password belong into `credentials`, so `@` is refused. */
export function url(schemes: 'https' | 'https?', rest: RegExp, texts: FieldTexts): z.ZodString {
  return text(new RegExp(`^${schemes}://${rest.source}$`), texts).refine((value) => URL.canParse(value), {
    error: errorOf(texts),
  });
}

/** A map whose keys are all known. The error of a wrong type lists the keys, and so does the one of an unknown key. */
export function map<S extends z.ZodRawShape>(shape: S, description: string): z.ZodObject<S, z.core.$strict> {
  return z.strictObject(shape, { error: Object.keys(shape).join(', ') }).meta({ description });
}

/** A map from names that the author chooses. */
export function named<V extends z.ZodType>(
  name: z.ZodString,
  value: V,
  texts: FieldTexts,
): z.ZodRecord<z.ZodString, V> {
  return z
    .record(name, value, { error: errorOf(texts) })
    .refine((entries) => Object.keys(entries).length > 0, { error: errorOf(texts) })
    .meta({ ...meta(texts), minProperties: 1 });
}

export function list<V extends z.ZodType>(item: V, atMost: number, texts: FieldTexts): z.ZodArray<V> {
  return z
    .array(item, { error: errorOf(texts) })
    .min(1, { error: errorOf(texts) })
    .max(atMost, { error: errorOf(texts) })
    .meta(meta(texts));
}

/** 1 to 65535. */
export function port(texts: FieldTexts): z.ZodInt {
  return z
    .int({ error: errorOf(texts) })
    .min(1, { error: errorOf(texts) })
    .max(65_535, { error: errorOf(texts) })
    .meta(meta(texts));
}

/** The same as part of a text. */
export const PORT = /(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})/;

/** A DNS label: what Kubernetes, Temporal and host names all accept. */
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export function label(what: string, description: string): z.ZodString {
  return text(LABEL, { expected: `${what}: lower-case letters, digits and dashes, at most 63`, description });
}
