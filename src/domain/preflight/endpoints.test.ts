import { describe, expect, it } from 'vitest';
import { serverSpec } from '../../../test/support/server-spec.js';
import { PHASE_NAMES } from '../run/phases.js';
import { answers, aptSources, endpoints, type Present } from './endpoints.js';

const NOTHING: Present = { packages: false, k3s: false, cozystack: false, nested: false };
const UBUNTU = ['http://archive.ubuntu.com/ubuntu'];
const urls = (...given: Parameters<typeof endpoints>): string[] => endpoints(...given).flatMap((one) => one.urls);

describe('what the phases download', () => {
  it('on a fresh host, from the public places', () => {
    expect(urls(serverSpec(), PHASE_NAMES, NOTHING, UBUNTU, {})).toEqual([
      'http://archive.ubuntu.com/ubuntu/',
      'https://github.com/k3s-io/k3s/releases/download/v1.35.3%2Bk3s1/sha256sum-amd64.txt',
      'https://ghcr.io/v2/',
      ...['registry-1.docker.io', 'ghcr.io', 'quay.io', 'registry.k8s.io', 'gcr.io', 'nvcr.io'].map(
        (host) => `https://${host}/v2/`,
      ),
    ]);
  });

  it('nothing that is there already, and nothing for phases that are not run', () => {
    const present = { packages: true, k3s: true, cozystack: true, nested: true };
    expect(
      endpoints(
        serverSpec(),
        ['preflight', 'node-preparation', 'k3s', 'cozystack', 'nested-cluster'],
        present,
        UBUNTU,
        {},
      ),
    ).toEqual([]);
    expect(endpoints(serverSpec(), ['preflight', 'gpu-isolation'], NOTHING, UBUNTU, {})).toEqual([]);
  });

  it('images of nested nodes once more for a temporary cluster, also where the nested ones are there', () => {
    const present = { packages: true, k3s: true, cozystack: true, nested: true };
    const of = (acceptance: 'nested' | 'all'): string[] =>
      urls(serverSpec({ cluster: { ...serverSpec().cluster, acceptance } }), ['acceptance'], present, UBUNTU, {});
    expect(of('nested')).toEqual(['https://registry-1.docker.io/v2/']);
    expect(of('all')).toEqual(
      ['registry-1.docker.io', 'ghcr.io', 'quay.io', 'registry.k8s.io', 'nvcr.io'].map((host) => `https://${host}/v2/`),
    );
  });

  it('a mirror replaces each of them; of registries one of the mirrors is enough', () => {
    const mirrors = {
      apt: 'http://m/ubuntu',
      k3s: 'http://m/k3s',
      charts: 'oci://m:5000/cozystack',
      registries: '/r.yaml',
    };
    const found = endpoints(serverSpec({ mirrors }), PHASE_NAMES, NOTHING, UBUNTU, { 'quay.io': ['http://m:5001'] });
    expect(found.find(({ mirror }) => mirror === 'apt')?.urls).toEqual(['http://m/ubuntu/']);
    expect(found.find(({ mirror }) => mirror === 'k3s')?.urls).toEqual([
      'http://m/k3s/v1.35.3%2Bk3s1/sha256sum-amd64.txt',
    ]);
    expect(found.find(({ mirror }) => mirror === 'charts')?.urls).toEqual(['https://m:5000/v2/']);
    expect(found.find(({ what }) => what.endsWith('quay.io'))?.urls).toEqual([
      'http://m:5001/v2/',
      'https://quay.io/v2/',
    ]);
  });
});

it('apt sources are read in both formats; those of no network are left out', () => {
  const lines = [
    'deb [signed-by=/k.gpg] https://a/ubuntu noble main',
    'URIs: http://b/ubuntu http://c/',
    'deb cdrom:[x]/ noble main',
  ];
  expect(aptSources(lines)).toEqual(['https://a/ubuntu', 'http://b/ubuntu', 'http://c/']);
});

it('a registry answers also with a refusal; a file has to be there; a broken server answers nothing', () => {
  expect(['200', '401', '404', '503', '000', ''].map((code) => answers(code, 'any'))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  expect(['200', '401', '404', '503', '000'].map((code) => answers(code, 'ok'))).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});
