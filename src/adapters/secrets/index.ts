/**
 * Secrets by reference, read at the moment they are needed, so that a rotated secret is picked up and none ever sits in a workflow's history.
 * What was read is taken out of everything that this process prints or reports: `redactor.ts`.
 * @module
 */
import { homedir } from 'node:os';
import { isSecretRef, type SecretKind, SECRET_REF_TEXT, splitSecretRef } from '../../domain/secret-ref.js';
import type { SecretRef } from '../../domain/spec.js';
import type { SecretSource } from '../../ports/secrets.js';
import { readSecretFromCommand } from './command.js';
import { readSecretFile } from './file.js';
import { readKubernetesSecret } from './kubernetes.js';
import { redactor } from './redactor.js';
import { unreadable } from './unreadable.js';

export { redactor } from './redactor.js';

export interface SecretSourceOptions {
  /** Where `env:` looks, and what programs get; this process's environment when left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What `~` means; the home directory of this process's user when left out. */
  readonly home?: string;
  /** Called once for each secret that is kept carelessly. */
  readonly warn?: (text: string) => void;
}

export function createSecretSource(options: SecretSourceOptions = {}): SecretSource {
  const { env = process.env, home = homedir(), warn = () => undefined } = options;
  const warned = new Set<string>();
  const warnOnce = (text: string): void => {
    if (warned.has(text)) return;
    warned.add(text);
    warn(text);
  };
  const read: Readonly<Record<SecretKind, (ref: SecretRef, what: string) => string | Promise<string>>> = {
    file: (ref, path) => readSecretFile(ref, path, { home, warn: warnOnce }),
    env: (ref, name) => {
      const value = env[name];
      if (value === undefined) throw unreadable(ref, 'is not set in the environment');
      return value;
    },
    command: (ref, words) => readSecretFromCommand(ref, words, { env }),
    kubernetes: readKubernetesSecret,
  };
  return {
    async read(ref) {
      // What is no reference may be the secret itself, so it is not repeated.
      if (!isSecretRef(ref)) throw unreadable('(not shown)', `is not referred to by ${SECRET_REF_TEXT}`);
      const [kind, what] = splitSecretRef(ref);
      const text = (await read[kind](ref, what)).replace(/\r?\n$/, '');
      if (text === '') throw unreadable(ref, 'is empty');
      redactor.remember(text);
      return text;
    },
  };
}
