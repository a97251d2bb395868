import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { serverSpec } from '../../../test/support/server-spec.js';
import {
  hashOf,
  K3S_UNIT_TEXT,
  k3sConfig,
  k3sConflicts,
  k3sRelease,
  parseK3sVersion,
  renderK3sConfig,
  type FoundK3s,
} from './k3s.js';

const SPEC = serverSpec();
const RUNNING: FoundK3s = {
  version: 'v1.35.3+k3s1',
  config: k3sConfig(SPEC),
  unit: K3S_UNIT_TEXT,
  hasState: true,
};

describe('the k3s configuration', () => {
  it('reads back from its YAML as it was meant', () => {
    expect(parse(renderK3sConfig(k3sConfig(SPEC)))).toEqual(k3sConfig(SPEC));
  });

  it('leaves to Cozystack everything that Cozystack brings', () => {
    expect(k3sConfig(SPEC)).toMatchObject({
      disable: ['traefik', 'servicelb', 'local-storage', 'metrics-server'],
      'disable-network-policy': true,
      'disable-kube-proxy': true,
      'flannel-backend': 'none',
      'cluster-domain': 'cozy.local',
      'kubelet-arg': ['max-pods=220'],
    });
  });

  it('names a token file only where the inventory has a token', () => {
    const withToken = serverSpec({
      cluster: { ...SPEC.cluster, k3s: { ...SPEC.cluster.k3s, token: 'file:/secrets/k3s' } },
    });
    expect(k3sConfig(withToken)['token-file']).toBe('/etc/rancher/k3s/cluster-token');
    expect(k3sConfig(SPEC)).not.toHaveProperty('token-file');
  });
});

describe('where k3s comes from', () => {
  it.each([
    ['x86_64', null, 'https://github.com/k3s-io/k3s/releases/download/v1.35.3%2Bk3s1/k3s'],
    ['aarch64', null, 'https://github.com/k3s-io/k3s/releases/download/v1.35.3%2Bk3s1/k3s-arm64'],
    ['x86_64', 'https://mirror.example/k3s/', 'https://mirror.example/k3s/v1.35.3%2Bk3s1/k3s'],
  ])('on %s, mirror %s', (machine, mirror, url) => {
    expect(k3sRelease('v1.35.3+k3s1', machine, mirror)?.binaryUrl).toBe(url);
  });

  it('is nowhere for a machine that k3s is not built for', () => {
    expect(k3sRelease('v1.35.3+k3s1', 'riscv64', null)).toBeNull();
  });

  it('is believed by the hash of its own line only', () => {
    const sums = `${'a'.repeat(64)}  k3s-airgap-images-amd64.tar.zst\n${'b'.repeat(64)}  k3s\n`;
    expect(hashOf(sums, 'k3s')).toBe('b'.repeat(64));
    expect(hashOf(sums, 'k3s-arm64')).toBeNull();
  });

  it('says its version in the first line', () => {
    expect(parseK3sVersion('k3s version v1.35.3+k3s1 (1a2b3c4d)\ngo version go1.24\n')).toBe('v1.35.3+k3s1');
    expect(parseK3sVersion('-bash: k3s: command not found')).toBeNull();
  });
});

/** As `curl -sfL https://get.k3s.io | INSTALL_K3S_EXEC=… sh` leaves it: flags in the unit, no configuration file. */
const BY_SCRIPT = K3S_UNIT_TEXT.replace(
  'server\n',
  `\\
    server \\
	'--disable=traefik' \\
	'--disable=servicelb' \\
	'--disable=local-storage' \\
	'--disable=metrics-server' \\
	'--disable-network-policy' \\
	'--disable-kube-proxy' \\
	'--flannel-backend=none' \\
	'--cluster-domain=cozy.local' \\
	'--tls-san=10.0.0.11' \\
	'--kubelet-arg=max-pods=220' \\

`,
);

describe('a k3s that is there', () => {
  it.each([
    ['nothing at all', { version: null, config: null, unit: null, hasState: false }],
    ['as this system sets it up', RUNNING],
    ['as the documented script sets it up', { ...RUNNING, config: null, unit: BY_SCRIPT }],
    ['a binary of the right version that was never started', { ...RUNNING, unit: null, config: null }],
    [
      'more switched off than needed',
      {
        ...RUNNING,
        config: { ...k3sConfig(SPEC), disable: ['traefik', 'servicelb', 'local-storage', 'metrics-server', 'coredns'] },
      },
    ],
  ])('is no conflict: %s', (_case, found) => {
    expect(k3sConflicts(SPEC, found)).toEqual([]);
  });

  it.each([
    [
      'another version',
      { ...RUNNING, version: 'v1.34.1+k3s1' },
      'k3s v1.34.1+k3s1 is installed, the inventory wants v1.35.3+k3s1',
    ],
    [
      'other networks',
      { ...RUNNING, config: { ...k3sConfig(SPEC), 'cluster-cidr': '10.244.0.0/16' } },
      'k3s has cluster-cidr "10.244.0.0/16", wanted "10.42.0.0/16"',
    ],
    [
      'a flag in the unit that wins over the file',
      { ...RUNNING, unit: K3S_UNIT_TEXT.replace('server\n', 'server --flannel-backend=vxlan\n') },
      'k3s has flannel-backend ["vxlan"], wanted "none"',
    ],
    ['no settings at all', { ...RUNNING, config: null }, 'k3s has disable-kube-proxy not set, wanted true'],
    [
      'state without a program',
      { version: null, config: null, unit: null, hasState: true },
      '/var/lib/rancher/k3s/server holds the state of a k3s that is not installed any more',
    ],
  ])('is a conflict: %s', (_case, found, line) => {
    expect(k3sConflicts(SPEC, found)).toContain(line);
  });
});
