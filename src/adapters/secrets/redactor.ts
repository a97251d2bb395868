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

/** `$1` and `$3` stay. */
const FORMS: readonly RegExp[] = [
  /(\bipmitool\b[^\n]*?\s-P\s*)(\S+)()/g,
  /(--(?:password|passwd|token|secret|api-key)[= ])(\S+)()/gi,
  /(\b[A-Z0-9_]*(?:PASSWORD|PASSWD|TOKEN|SECRET)=)([^\s'"]+|'[^']*'|"[^"]*")()/g,
  /("(?:password|passwd|identity_?token|client-key-data)"\s*:\s*")([^"]+)(")/gi,
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)([^\s/@]+)(@)/gi,
  /(\bauthorization["']?\s*:\s*["']?(?:basic|bearer)\s+)([^\s"']+)()/gi,
  /()(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))()/g,
  // The same in base64, as a kubeconfig has it; certificates begin alike.
  /()(LS0tLS1CRUdJTi[A-Za-z0-9+/=]+)()/g,
];

export class Redactor {
  private readonly known = new Set<string>();
  private pattern: RegExp | null = null;

  /** From now on taken out, and its parts that are secrets by themselves. */
  remember(secret: string): void {
    const before = this.known.size;
    for (const part of [secret, ...secretParts(secret)]) {
      if (part.length >= MIN_SECRET_CHARACTERS) this.known.add(part);
    }
    if (this.known.size > before) this.pattern = null;
  }

  text(text: string): string {
    const byValue = this.known.size === 0 ? text : text.replaceAll(this.knownPattern(), REDACTED);
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
      at.message = this.text(at.message);
      if (at.stack !== undefined) at.stack = this.text(at.stack);
      // As an ApplicationFailure has it.
      if ('details' in at) at.details = this.deep(at.details);
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

  private knownPattern(): RegExp {
    // The longest first: of a secret that contains another one nothing must stay.
    this.pattern ??= new RegExp(
      [...new Set([...this.known].flatMap(encodingsOf))]
        .filter((text) => text.length >= MIN_SECRET_CHARACTERS)
        .toSorted((a, b) => b.length - a.length)
        .map(escaped)
        .join('|'),
      'g',
    );
    return this.pattern;
  }
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

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
