/**
 * How one text looks in the encodings in which texts travel: quoted in JSON, percent-encoded in a URL, base64 in a header or a payload.
 * @module
 */

/** Base64 takes three bytes at a time, so what a text looks like inside a larger one depends on where it begins. */
const BASE64_GROUP_BYTES = 3;

/** Without repetitions; the text itself is the first. */
export function encodingsOf(text: string): readonly string[] {
  const bytes = Buffer.from(text, 'utf8');
  const hex = bytes.toString('hex');
  const json = JSON.stringify(text).slice(1, -1);
  const percent = encodeURIComponent(text);
  const base64 = [0, 1, 2].flatMap((offset) => innerBase64(bytes, offset));
  return [
    ...new Set([
      text,
      json,
      JSON.stringify(json).slice(1, -1),
      percent,
      percent.replaceAll(/%../g, (code) => code.toLowerCase()),
      percent.replaceAll('%20', '+'),
      hex,
      hex.toUpperCase(),
      bytes.toString('base64'),
      ...base64,
      ...base64.map((part) => part.replaceAll('+', '-').replaceAll('/', '_')),
      // UTF-16 read as a text of single bytes.
      Buffer.from(text, 'utf16le').toString('latin1'),
    ]),
  ];
}

/** The characters that depend on the text alone when `offset` bytes of something else stand before it in its group. */
function innerBase64(bytes: Buffer, offset: number): readonly string[] {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replaceAll('=', '');
  const first = offset === 0 ? 0 : offset + 1;
  // The last character of an unfinished group also holds bits of what follows.
  const isWhole = (offset + bytes.length) % BASE64_GROUP_BYTES === 0;
  return [encoded.slice(first, isWhole ? undefined : -1)];
}
