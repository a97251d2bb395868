/**
 * Label and field selectors of list and watch.
 * @module
 */
import { badRequest, isJson, type ApiObject } from './object.js';

export type Predicate = (object: ApiObject) => boolean;

/** `a=b,c!=d,e,!f,g in (x,y),h notin (z)`. */
export function labelSelector(text: string): Predicate {
  const terms = text.split(/,(?![^(]*\))/).map((term) => term.trim());
  const tests = terms.filter((term) => term !== '').map(labelTerm);
  return (object) => tests.every((test) => test(object.metadata.labels ?? {}));
}

function labelTerm(term: string): (labels: Readonly<Record<string, string>>) => boolean {
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(term);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    return (labels) => (key in labels && values.includes(labels[key] ?? '')) === (operator === 'in');
  }
  const pair = /^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(term);
  if (pair !== null) {
    const [, key = '', operator, value] = pair;
    return (labels) => (labels[key] === value) === (operator !== '!=');
  }
  const presence = /^(!?)([^=!\s]+)$/.exec(term);
  if (presence !== null) return (labels) => (presence[2] ?? '') in labels === (presence[1] === '');
  throw badRequest(`unable to parse requirement: ${term}`);
}

/** `spec.nodeName=a,status.phase!=Running`. */
export function fieldSelector(text: string): Predicate {
  const tests = text
    .split(',')
    .filter((term) => term !== '')
    .map((term): Predicate => {
      const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(term);
      if (match === null) throw badRequest(`invalid field selector: ${term}`);
      const [, path = '', operator, value = ''] = match;
      return (object) => (fieldAt(object, path) === value) === (operator !== '!=');
    });
  return (object) => tests.every((test) => test(object));
}

function fieldAt(object: ApiObject, path: string): string {
  let here: unknown = object;
  for (const step of path.split('.')) here = isJson(here) ? here[step] : undefined;
  return typeof here === 'string' || typeof here === 'boolean' || typeof here === 'number' ? String(here) : '';
}
