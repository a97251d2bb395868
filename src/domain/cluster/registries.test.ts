import { describe, expect, it } from 'vitest';
import { serverSpec } from '../../../test/support/server-spec.js';
import { operatorChart, platformPackage } from './cozystack.js';
import { at } from './objects.js';
import { registryMirrors } from './registries.js';

const HOSTS = ['docker.io', 'quay.io'];

describe('mirrors of container registries', () => {
  it('are read from k3s registries.yaml, without its credentials', () => {
    const file = {
      mirrors: { 'quay.io': { endpoint: ['http://m:1', 'not an address'] }, 'ghcr.io': { endpoint: [] } },
      configs: { 'm:1': { auth: { username: 'u', password: 'PASSWORD' } } },
    };
    expect(registryMirrors(file, HOSTS)).toEqual({ 'quay.io': ['http://m:1'] });
  });

  it('for every registry stand for each of those that are used, unless one has its own', () => {
    const file = { mirrors: { '*': { endpoint: ['http://all'] }, 'quay.io': { endpoint: ['http://q'] } } };
    expect(registryMirrors(file, HOSTS)).toEqual({ 'docker.io': ['http://all'], 'quay.io': ['http://q'] });
  });

  it.each([null, 'text', {}, { mirrors: null }])('of %j are none', (file) => {
    expect(registryMirrors(file, HOSTS)).toEqual({});
  });

  it("reach the platform's values, from where nested nodes get them", () => {
    const values = (mirrors: Parameters<typeof platformPackage>[1]): unknown =>
      at(platformPackage(serverSpec(), mirrors), 'spec', 'components', 'platform', 'values', 'registries');
    expect(values({ 'quay.io': ['http://q'] })).toEqual({ mirrors: { 'quay.io': { endpoints: ['http://q'] } } });
    expect(values({})).toBeUndefined();
  });
});

it('charts come from their own mirror: chart and packages', () => {
  const mirrors = { ...serverSpec().mirrors, charts: 'oci://m:5000/cozystack/' };
  const spec = operatorChart(serverSpec({ mirrors }))['spec'];
  expect(spec).toMatchObject({ chart: 'oci://m:5000/cozystack/cozy-installer' });
  expect(at(spec, 'valuesContent')).toContain('\n  platformSourceUrl: "oci://m:5000/cozystack/cozystack-packages"\n');
  expect(operatorChart(serverSpec())['spec']).toMatchObject({
    chart: 'oci://ghcr.io/cozystack/cozystack/cozy-installer',
  });
  expect(at(operatorChart(serverSpec()), 'spec', 'valuesContent')).not.toContain('platformSourceUrl');
});
