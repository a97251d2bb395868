/**
 * The environment block: 1,024 bytes, `name=value` lines, filled up with `#`. Both GRUB and grub-editenv write it in place.
 * @module
 */
const SIGNATURE = '# GRUB Environment Block\n';
const SIZE = 1024;

/** null when it isn't a valid block. */
export function parseEnvironment(text: string): Map<string, string> | null {
  if (text.length !== SIZE || !text.startsWith(SIGNATURE)) return null;
  const variables = new Map<string, string>();
  for (const line of text.slice(SIGNATURE.length).split('\n')) {
    const at = line.indexOf('=');
    if (at > 0 && !line.startsWith('#')) variables.set(line.slice(0, at), line.slice(at + 1));
  }
  return variables;
}

/** null when it doesn't fit. */
export function renderEnvironment(variables: ReadonlyMap<string, string>): string | null {
  const body = SIGNATURE + [...variables].map(([name, value]) => `${name}=${value}\n`).join('');
  return body.length > SIZE ? null : body.padEnd(SIZE, '#');
}
