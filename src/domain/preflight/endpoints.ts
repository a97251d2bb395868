/**
 * What the phases download, from where, and which key of the inventory's mirrors replaces it. Container registries are those of the images
 * in Cozystack 1.5.4's charts and of k3s.
 * @module
 */
import { OPERATOR_CHART, chartSource } from '../cluster/cozystack.js';
import { k3sRelease } from '../cluster/k3s.js';
import type { RegistryMirrors } from '../cluster/registries.js';
import { temporaryCluster } from '../cluster/temporary-cluster.js';
import type { PhaseName } from '../run/phases.js';
import type { ServerSpec } from '../spec.js';

export interface Endpoint {
  /** For people: `container images of ghcr.io`. */
  readonly what: string;
  /** One of these must answer. */
  readonly urls: readonly string[];
  /** `ok`: the file itself must be there; `any`: an answer, also a refusal, shows that somebody listens. */
  readonly wanted: 'ok' | 'any';
  /** The key below `mirrors` that names another place. */
  readonly mirror: 'apt' | 'k3s' | 'charts' | 'registries';
}

/** What is there already and is not downloaded again. */
export interface Present {
  readonly packages: boolean;
  readonly k3s: boolean;
  readonly cozystack: boolean;
  readonly nested: boolean;
}

/** A registry's host, where it serves its API, and the phases whose images are there. */
const REGISTRIES: readonly { readonly host: string; readonly api?: string; readonly phases: readonly PhaseName[] }[] = [
  { host: 'docker.io', api: 'registry-1.docker.io', phases: ['k3s', 'cozystack', 'acceptance'] },
  { host: 'ghcr.io', phases: ['cozystack', 'nested-cluster'] },
  { host: 'quay.io', phases: ['cozystack', 'nested-cluster'] },
  { host: 'registry.k8s.io', phases: ['cozystack', 'nested-cluster'] },
  { host: 'gcr.io', phases: ['cozystack'] },
  { host: 'nvcr.io', phases: ['nested-cluster'] },
];
/** For a mirror that stands for every registry. */
export const REGISTRY_HOSTS = REGISTRIES.map(({ host }) => host);

/** `sources`: base URLs that apt is configured with. Empty where nothing is to be downloaded. */
export function endpoints(
  spec: ServerSpec,
  phases: readonly PhaseName[],
  present: Present,
  sources: readonly string[],
  mirrors: RegistryMirrors,
): readonly Endpoint[] {
  const todo = (phase: PhaseName): boolean =>
    phases.includes(phase) &&
    !(phase === 'k3s' && present.k3s) &&
    !(phase === 'cozystack' && present.cozystack) &&
    !(phase === 'nested-cluster' && present.nested);
  // The nodes of a temporary cluster pull everything anew.
  const buildsNodes = todo('nested-cluster') || (phases.includes('acceptance') && temporaryCluster(spec) !== null);
  const found: Endpoint[] = [];
  if (phases.includes('node-preparation') && !present.packages) {
    for (const url of spec.mirrors.apt === null ? sources : [spec.mirrors.apt])
      found.push({ what: 'Ubuntu packages', urls: [withSlash(url)], wanted: 'any', mirror: 'apt' });
  }
  const release = k3sRelease(spec.cluster.k3s.version, 'x86_64', spec.mirrors.k3s);
  if (todo('k3s') && release !== null)
    found.push({ what: 'the k3s release', urls: [release.sumsUrl], wanted: 'ok', mirror: 'k3s' });
  if (todo('cozystack'))
    found.push({
      what: "Cozystack's charts",
      urls: [apiOf(chartSource(spec, OPERATOR_CHART).replace(/^oci:\/\//, 'https://'))],
      wanted: 'any',
      mirror: 'charts',
    });
  for (const { host, api = host, phases: needing } of REGISTRIES) {
    if (!needing.some((phase) => (phase === 'nested-cluster' ? buildsNodes : todo(phase)))) continue;
    // containerd asks the mirrors first and then the registry itself.
    const urls = [...(mirrors[host] ?? []), `https://${api}`].map(apiOf);
    found.push({ what: `container images of ${host}`, urls, wanted: 'any', mirror: 'registries' });
  }
  return found;
}

const withSlash = (url: string): string => url.replace(/\/*$/, '/');
/** Every registry answers here, most of them with 401. */
const apiOf = (url: string): string => `${new URL(url).origin}/v2/`;

/** Base URLs in lines of apt's sources, of either format; those of no network are left out. */
export function aptSources(lines: readonly string[]): readonly string[] {
  return [...new Set(lines.flatMap((line) => line.split(/\s+/).filter((word) => /^https?:\/\//.test(word))))];
}

/** What curl said of one URL: `CODE` of HTTP, 000 without an answer. */
export function answers(code: string, wanted: Endpoint['wanted']): boolean {
  return wanted === 'ok' ? /^2\d\d$/.test(code) : /^[1-4]\d\d$/.test(code);
}
