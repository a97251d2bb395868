/**
 * A short notation for the schemas of CustomResourceDefinitions. The definitions beside this file name the fields that gpu-provision and the lab
 * read and write, with the types, choices and required fields that the project published. Any other field is refused by the API, so a
 * misspelt one fails a test.
 * @module
 */
import type { ObjectDraft } from '../api/object.js';

export type Schema = Readonly<Record<string, unknown>>;

export const count: Schema = { type: 'integer' };
export const flag: Schema = { type: 'boolean' };
/** A quantity such as `10Gi`. */
export const textOrNumber: Schema = { 'x-kubernetes-int-or-string': true };
/** Any JSON: `apiextensionsv1.JSON`, as values of a chart. */
export const json: Schema = { 'x-kubernetes-preserve-unknown-fields': true };
/** An object that the project itself leaves open. */
export const anything: Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
export const text = (pattern?: string): Schema => ({ type: 'string', ...(pattern === undefined ? {} : { pattern }) });
export const oneOf = (...choices: readonly string[]): Schema => ({ type: 'string', enum: choices });
export const list = (items: Schema): Schema => ({ type: 'array', items });
export const map = (values: Schema): Schema => ({ type: 'object', additionalProperties: values });
export const fields = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  ...(required.length === 0 ? {} : { required }),
});

/** `metav1.Condition`, as Flux, Cozystack and Kamaji use it. */
export const conditions = list(
  fields(
    {
      type: text(),
      status: oneOf('True', 'False', 'Unknown'),
      reason: text('^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$'),
      message: text(),
      lastTransitionTime: { type: 'string', format: 'date-time' },
    },
    ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
  ),
);

/** Conditions before there was `metav1.Condition`. */
export const looseConditions = list(
  fields(
    {
      type: text(),
      status: text(),
      reason: text(),
      message: text(),
      lastTransitionTime: { type: 'string', format: 'date-time' },
    },
    ['type', 'status'],
  ),
);

export interface Names {
  /** `GROUP/VERSION` */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope?: 'Namespaced' | 'Cluster';
}

export const definition = (
  names: Names,
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
): ObjectDraft => definitionWith(names, fields(properties, required));

/** With a schema for the whole object: `anything` takes every field. */
export function definitionWith({ apiVersion, kind, plural, scope = 'Namespaced' }: Names, schema: Schema): ObjectDraft {
  const [group = '', version = ''] = apiVersion.split('/');
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope,
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  };
}

/** What `definition` was given. */
export function definedNames({ spec }: ObjectDraft): Required<Names> {
  // Only definitionWith writes these.
  const { group, scope, names, versions } = spec as {
    group: string;
    scope: Required<Names>['scope'];
    names: { kind: string; plural: string };
    versions: readonly [{ name: string }];
  };
  return { apiVersion: `${group}/${versions[0].name}`, kind: names.kind, plural: names.plural, scope };
}
