/**
 * How a secret is referred to. A reference says where a secret is, never what it is, so it may stand in inventories, histories and messages.
 * @module
 */

/** Resolved: paths are absolute. The worker reads it at the moment it is needed. */
export type SecretRef = `${SecretKind}:${string}`;

export type SecretKind = keyof typeof SECRET_FORMS;

/** What stands behind the colon, as people are told, and its form. */
export const SECRET_FORMS = {
  file: { written: 'PATH', form: /.+/ },
  env: { written: 'NAME', form: /[A-Za-z_][A-Za-z0-9_]*/ },
  /** Words between spaces are the argument vector. No shell, no quotes: what needs more is a script. */
  command: { written: 'PROGRAM ARGUMENT...', form: /\S+(?: +\S+)*/ },
  kubernetes: {
    written: 'NAMESPACE/SECRET/KEY',
    form: /[a-z0-9](?:[-a-z0-9]*[a-z0-9])?\/[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/[-._A-Za-z0-9]+/,
  },
} as const;

const kinds = Object.entries(SECRET_FORMS);

export const SECRET_REF_PATTERN = new RegExp(
  `^(${kinds.map(([kind, { form }]) => `${kind}:${form.source}`).join('|')})$`,
);

/** For messages: `file:PATH, env:NAME, …`. */
export const SECRET_REF_TEXT = kinds
  .map(([kind, { written }]) => `${kind}:${written}`)
  .join(', ')
  .replace(/, (?=[^,]*$)/, ' or ');

export function isSecretRef(text: string): text is SecretRef {
  return SECRET_REF_PATTERN.test(text);
}

/** `text` must be a reference. */
export function splitSecretRef(ref: SecretRef): readonly [kind: SecretKind, what: string] {
  const colon = ref.indexOf(':');
  return [ref.slice(0, colon) as SecretKind, ref.slice(colon + 1)];
}
