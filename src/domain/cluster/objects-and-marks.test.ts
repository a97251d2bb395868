import { describe, expect, it } from 'vitest';
import { unsupportedCozystack } from './cozystack.js';
import { differences } from './differences.js';
import { at, countAt, fieldConflicts } from './objects.js';
import { isMarked, marked, runOf } from './ownership.js';

const OBJECT = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', labels: { app: 'x' } } };

describe('marks', () => {
  it('are added beside other labels and read back', () => {
    const ours = marked(OBJECT, 'run-1');
    expect(ours.metadata.labels).toMatchObject({ app: 'x' });
    expect([isMarked(ours), runOf(ours)]).toEqual([true, 'run-1']);
    expect([isMarked(OBJECT), runOf(OBJECT)]).toEqual([false, null]);
  });
});

describe('differences', () => {
  it('count only what is wanted', () => {
    expect(differences({ spec: { a: 1 } }, { spec: { a: 1, b: 2 }, status: {} })).toEqual([]);
  });

  it('name the path of what is missing or other', () => {
    expect(differences({ spec: { a: 1, b: { c: [1] } } }, { spec: { a: 2 } })).toEqual(['spec.a', 'spec.b']);
  });

  it('do not see the difference between empty and absent', () => {
    expect(differences({ roles: [], overrides: {} }, {})).toEqual([]);
    expect(differences({ roles: [] }, { roles: ['ingress-nginx'] })).toEqual(['roles']);
  });

  it('take lists as a whole, but let the server add fields to their items', () => {
    expect(differences({ l: [{ n: 1 }] }, { l: [{ n: 1, added: true }] })).toEqual([]);
    expect(differences({ l: [1, 2] }, { l: [2, 1] })).toEqual(['l']);
    expect(differences({ l: [1] }, { l: [1, 2] })).toEqual(['l']);
  });
});

describe('a look into an object', () => {
  it('never fails on what is not there', () => {
    expect(at(null, 'a', 0)).toBeUndefined();
    expect(at({ a: 'text' }, 'a', 'b')).toBeUndefined();
  });

  it('reads Kubernetes quantities that are whole numbers', () => {
    expect([countAt({ n: '8' }, 'n'), countAt({ n: 8 }, 'n'), countAt({ n: '8Gi' }, 'n')]).toEqual([8, 8, null]);
  });
});

describe('the Cozystack version', () => {
  it.each([
    ['1.5.4', /^supported$/],
    ['1.6.2', /Talos/],
    ['1.10.0', /Talos/],
    ['2.0.0', /Talos/],
    ['v1.5.4', /without v/],
    ['1.4.0', /not a 1\.5 release/],
  ])('%s', (version, text) => {
    expect(unsupportedCozystack(version) ?? 'supported').toMatch(text);
  });
});

describe("the API's refusal of an apply", () => {
  it('names each field and who manages it', () => {
    expect(fieldConflicts('x: Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .data.k')).toEqual([
      { field: '.data.k', manager: 'kubectl-edit' },
    ]);
    const several = `Apply failed with 3 conflicts: conflicts with "helm" using apps/v1:
- .spec.replicas
- .spec.template.spec.containers[name="a"].image
conflict with "hpa" with subresource "scale" using apps/v1: .spec.paused (409 Conflict)`;
    expect(fieldConflicts(several)).toEqual([
      { field: '.spec.replicas', manager: 'helm' },
      { field: '.spec.template.spec.containers[name="a"].image', manager: 'helm' },
      { field: '.spec.paused', manager: 'hpa' },
    ]);
    expect(fieldConflicts('the object is invalid: .spec.x must be set')).toEqual([]);
  });
});
