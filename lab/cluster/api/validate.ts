/**
 * The metadata rules of Kubernetes that a client can break: names and labels.
 * @module
 */
import type { Kind } from './kinds.js';
import { invalid, type ObjectDraft } from './object.js';

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const LABEL_NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

export const isName = (name: unknown): boolean =>
  typeof name === 'string' && name.length <= 253 && SUBDOMAIN.test(name);

export function requireValidMetadata(kind: Kind, metadata: ObjectDraft['metadata']): void {
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    requireKey('labels', key);
    if (typeof value !== 'string' || value.length > 63 || !LABEL_VALUE.test(value))
      throw invalid(`${kind.kind} "${metadata.name}" is invalid: metadata.labels: Invalid value: "${value}"`);
  }
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    requireKey('annotations', key);
    if (typeof value !== 'string')
      throw invalid(`${kind.kind} "${metadata.name}" is invalid: metadata.annotations.${key}: not a string`);
  }
}

function requireKey(field: string, key: string): void {
  const slash = key.lastIndexOf('/');
  const prefix = slash < 0 ? null : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if ((prefix !== null && !isName(prefix)) || name.length > 63 || !LABEL_NAME.test(name))
    throw invalid(`metadata.${field}: Invalid value: "${key}"`);
}
