/** A place for artifacts that cannot be one. The message says what would be right. */
export class BadStore extends Error {
  override readonly name = 'BadStore';
}

export type Environment = Readonly<Record<string, string | undefined>>;
