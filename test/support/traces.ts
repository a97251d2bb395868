/**
 * Looks for secrets in what a run leaves behind, in the encodings that texts take on their way. Written apart from the redactor, which it judges.
 * @module
 */

/** A secret in one encoding. */
interface Trace {
  readonly encoding: string;
  readonly bytes: Buffer;
}

function tracesOf(secret: string): readonly Trace[] {
  const bytes = Buffer.from(secret);
  const wide = Buffer.from(secret, 'utf16le');
  const everyByte = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const texts: Readonly<Record<string, string>> = {
    plain: secret,
    json: JSON.stringify(secret).slice(1, -1),
    'json in json': JSON.stringify(JSON.stringify(secret)).slice(3, -3),
    hex: bytes.toString('hex'),
    'upper-case hex': bytes.toString('hex').toUpperCase(),
    'url-encoded': encodeURIComponent(secret),
    'every byte url-encoded': everyByte,
    'every byte url-encoded in upper case': everyByte.toUpperCase(),
    ...base64At('base64', bytes),
    ...base64At('base64 of UTF-16', wide),
  };
  return [
    ...Object.entries(texts).map(([encoding, text]) => ({ encoding, bytes: Buffer.from(text) })),
    { encoding: 'UTF-16LE', bytes: wide },
    { encoding: 'UTF-16BE', bytes: Buffer.from(wide).swap16() },
  ];
}

/** In both alphabets, at each of the three places in a group; characters that also hold neighbouring bytes are left out. */
function base64At(name: string, bytes: Buffer): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const before of [0, 1, 2]) {
    const after = (3 - ((before + bytes.length) % 3)) % 3;
    const text = Buffer.concat([Buffer.alloc(before), bytes, Buffer.alloc(after)]).toString('base64');
    const own = text.slice(before === 0 ? 0 : before + 1, after === 0 ? undefined : -(after + 1));
    found[`${name} at ${before}`] = own;
    found[`${name}url at ${before}`] = own.replaceAll('+', '-').replaceAll('/', '_');
  }
  return found;
}

/** `NAME in ARTEFACT (ENCODING)` for every secret that is there; each artefact is searched for each secret in each encoding. */
export function findSecrets(
  secrets: Readonly<Record<string, string>>,
  artefacts: ReadonlyMap<string, Buffer | string>,
): readonly string[] {
  return Object.entries(secrets).flatMap(([name, secret]) => {
    const traces = tracesOf(secret);
    return [...artefacts].flatMap(([artefact, content]) =>
      traces
        .filter(({ bytes }) => Buffer.from(content).includes(bytes))
        .map(({ encoding }) => `${name} in ${artefact} (${encoding})`),
    );
  });
}

interface WirePayload {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}

/** Every payload in a history as JSON, wherever it stands: metadata and data are base64. */
export function payloadsIn(value: unknown): readonly WirePayload[] {
  if (typeof value !== 'object' || value === null) return [];
  const metadata: unknown = Reflect.get(value, 'metadata');
  if (typeof metadata === 'object' && metadata !== null && 'encoding' in metadata) return [value];
  return Object.values(value).flatMap(payloadsIn);
}

export function payloadText(payload: WirePayload): string {
  return Buffer.from(payload.data ?? '', 'base64').toString('utf8');
}
