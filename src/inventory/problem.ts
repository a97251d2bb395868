/** Where a value stands in the file: `['servers', 'h100-01', 'gpus', 'addresses', 0]`. */
export type FieldPath = readonly (string | number)[];

/** Thrown for every mistake in an inventory: bad input, exit code 2. The message is the problems, one line each. */
export class InventoryError extends Error {
  override readonly name = 'InventoryError';

  constructor(
    /** Each `FILE:LINE:COL path.into.file: what was found; what would be right`. Never holds a secret. */
    readonly problems: readonly string[],
  ) {
    super(problems.join('\n'));
  }
}

/** `servers.h100-01.gpus.addresses[0]`; the file as a whole is `inventory`. */
export function pathText(path: FieldPath): string {
  if (path.length === 0) return 'inventory';
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : (i === 0 ? '' : '.') + keyText(part)))
    .join('');
}

/** A problem is one line, whatever the key. */
function keyText(key: string): string {
  return /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
}

/** Longest text from the file that a message repeats. */
const SHOWN_LENGTH_CHARACTERS = 60;

/** A value as a message shows it, without what could be a user and password before an `@`. Not for secrets. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') {
    const keys = Object.keys(value);
    return keys.length === 0 ? 'an empty map' : `a map with ${keys.join(', ')}`;
  }
  if (typeof value !== 'string') return `the ${typeof value} ${JSON.stringify(value)}`;
  const text = value.length > SHOWN_LENGTH_CHARACTERS ? `${value.slice(0, SHOWN_LENGTH_CHARACTERS)}...` : value;
  return JSON.stringify(text.replace(/[^\s/]*@/g, '...@'));
}
