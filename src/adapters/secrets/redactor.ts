/**
 * Takes secrets out of everything that leaves this process: log lines, what commands print, and the results and failures of activities, which
 * Temporal keeps. Two ways: by value, for every secret that this process has read; and by form, for those that others wrote, such as a
 * password in the command line of a process on a host.
 * @module
 */
import { encodingsOf } from './encodings.js';

export const REDACTED = '[redacted]';

/** Shorter ones occur in ordinary text: taking `calvin` or `ubuntu` out would make messages unreadable, and show what it is. */
const MIN_SECRET_CHARACTERS = 8;
/** Of a longer secret whose rest was cut off: more than secrets have in common with other texts, such as `https://` or `-----BEGIN`. */
const MAX_FRAGMENT_CHARACTERS = 16;

/** `$1` and `$3` stay. What may be long has a limit: the time of a search must not grow with the square of a host's output. */
const FORMS: readonly RegExp[] = [
  /(\bipmitool\b[^\n]{0,500}?\s-P\s*)(\S+)()/g,
  /(--(?:password|passwd|token|secret|api-key)[= ])(\S+)()/gi,
  /(\b[A-Z0-9_]*(?:PASSWORD|PASSWD|TOKEN|SECRET)=)([^\s'"]+|'[^']*'|"[^"]*")()/g,
  /("(?:password|passwd|identity_?token|client-key-data)"\s*:\s*")([^"]+)(")/gi,
  /(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/:@]*:)([^\s/@]+)(@)/gi,
  /(\bauthorization["']?\s*:\s*["']?(?:basic|bearer)\s+)([^\s"']+)()/gi,
  /()(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))()/g,
  // The same in base64, as a kubeconfig has it; certificates begin alike.
  /()(LS0tLS1CRUdJTi[A-Za-z0-9+/=]+)()/g,
];

/** A secret in one encoding. */
interface Needle {
  readonly text: string;
  /** So many characters of its beginning or its end are taken out too: messages are cut to a length, perhaps within a secret. */
  readonly least: number;
}

export class Redactor {
  private readonly known = new Set<string>();
  private readonly byHead = new Map<string, Needle[]>();
  private readonly byTail = new Map<string, Needle[]>();

  /** From now on taken out, and its parts that are secrets by themselves. */
  remember(secret: string): void {
    for (const part of [secret, ...secretParts(secret)]) {
      if (part.length < MIN_SECRET_CHARACTERS || this.known.has(part)) continue;
      this.known.add(part);
      for (const text of encodingsOf(part)) this.learn(text, /\s/.test(part));
    }
  }

  text(text: string): string {
    const byValue = this.known.size === 0 ? text : this.withoutKnown(text);
    return FORMS.reduce((left, form) => left.replaceAll(form, `$1${REDACTED}$3`), byValue);
  }

  /** JSON with every text in it treated. */
  value<T>(value: T): T {
    return this.deep(value) as T;
  }

  /** The error itself, its texts and those of its causes treated. */
  error(error: unknown): unknown {
    const seen = new Set<unknown>();
    for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
      seen.add(at);
      replace(at, 'message', this.text(at.message));
      if (at.stack !== undefined) replace(at, 'stack', this.text(at.stack));
      // As an ApplicationFailure has it.
      if ('details' in at) replace(at, 'details', this.deep(at.details));
    }
    return error;
  }

  private deep(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.deep(item));
    if (typeof value !== 'object' || value === null) return value;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.deep(item)]));
  }

  /** @param whole Of files with ordinary words in them, only the whole is a secret. */
  private learn(text: string, whole: boolean): void {
    if (text.length < MIN_SECRET_CHARACTERS) return;
    const fragment = Math.min(Math.ceil(text.length / 2), MAX_FRAGMENT_CHARACTERS);
    const needle = { text, least: whole ? text.length : Math.max(fragment, MIN_SECRET_CHARACTERS) };
    const put = (into: Map<string, Needle[]>, key: string): unknown =>
      into.set(key, [...(into.get(key) ?? []), needle]);
    put(this.byHead, text.slice(0, MIN_SECRET_CHARACTERS));
    put(this.byTail, text.slice(-MIN_SECRET_CHARACTERS));
  }

  /** One pass, whatever the number of secrets. */
  private withoutKnown(text: string): string {
    let out = '';
    let done = 0;
    for (let at = 0; at + MIN_SECRET_CHARACTERS <= text.length; at += 1) {
      const window = text.slice(at, at + MIN_SECRET_CHARACTERS);
      const ahead = longest(this.byHead.get(window), (needle) => agreement(text, at, needle, 0, 1));
      const last = at + MIN_SECRET_CHARACTERS - 1;
      const behind = longest(this.byTail.get(window), (needle) => agreement(text, last, needle, needle.length - 1, -1));
      if (ahead === 0 && behind === 0) continue;
      const start = behind === 0 ? at : Math.max(done, last + 1 - behind);
      out += `${text.slice(done, start)}${REDACTED}`;
      done = Math.max(at + ahead, behind === 0 ? 0 : last + 1);
      at = done - 1;
    }
    return out + text.slice(done);
  }
}

/** Some errors of the platform, such as that of an aborted signal, have a message that cannot be assigned. */
function replace(error: Error, key: 'message' | 'stack' | 'details', value: unknown): void {
  if (Reflect.get(error, key) === value) return;
  const enumerable = Object.getOwnPropertyDescriptor(error, key)?.enumerable ?? false;
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
}

/** How many characters agree from these two places on, in this direction. */
function agreement(text: string, at: number, needle: string, from: number, step: 1 | -1): number {
  let count = 0;
  while (count < needle.length && text[at + count * step] === needle[from + count * step]) count += 1;
  return count;
}

/** The longest agreement that is enough; 0 for none. */
function longest(needles: readonly Needle[] | undefined, agreed: (needle: string) => number): number {
  let most = 0;
  for (const { text, least } of needles ?? []) {
    const count = agreed(text);
    if (count >= least && count > most) most = count;
  }
  return most;
}

/** Of this process. */
export const redactor = new Redactor();

/** A field of YAML or JSON that holds a credential; registries.yaml has them. */
const CREDENTIAL_FIELD =
  /(?<![a-z])(?:password|passwd|auth|token|secret|client-key-data)["']?[ \t]*[:=][ \t]*["']?([^\s"',{}]+)/gi;
const PEM_LINE = /^[A-Za-z0-9+/=]{32,}$/gm;

function secretParts(secret: string): readonly string[] {
  const [, password] = /^[^:\s]+:([^\n]+)$/.exec(secret) ?? [];
  const fields = [...secret.matchAll(CREDENTIAL_FIELD)].map(([, value]) => value);
  // A key that is printed with other line ends, or only in part.
  const lines = [...secret.matchAll(PEM_LINE)].map(([line]) => line);
  return [password, ...fields, ...lines].filter((part) => part !== undefined);
}
