import { describe, expect, it } from 'vitest';
import { allReady, condition, firstShut, jobDone, jobFailure, kubevirtDeployed, packages, releases } from './gates.js';
import type { KubeObject } from './objects.js';

type Status = 'True' | 'False' | 'Unknown';

const release = (name: string, status?: Status, reason = '', message = ''): KubeObject => ({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { name, namespace: 'cozy-x' },
  ...(status === undefined ? {} : { status: { conditions: [{ type: 'Ready', status, reason, message }] } }),
});
const many = (count: number): readonly KubeObject[] =>
  Array.from({ length: count }, (_, index) => release(`r${index}`, 'True'));

describe('the gate of the HelmReleases', () => {
  it('is shut while there are so few that the platform cannot have rendered them all', () => {
    expect(releases(many(10))).toBe('10 HelmReleases so far; the platform has not rendered them all');
    expect(releases(many(11))).toBeNull();
  });

  it('counts a release without a status as not ready', () => {
    expect(releases([...many(11), release('new')])).toBe(
      '11 of 12 HelmReleases ready; waiting for HelmRelease cozy-x/new (no status yet)',
    );
  });

  it('names those with a cause of their own before those that wait for others, and at most four', () => {
    const waiting = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      release(name, 'False', 'DependencyNotReady', "dependency 'cozy-x/z' is not ready"),
    );
    const text = allReady([...waiting, release('z', 'False', 'InstallFailed', 'context deadline exceeded')]);
    expect(text).toMatch(
      /^0 of 6 HelmReleases ready; waiting for HelmRelease cozy-x\/z \(InstallFailed, context deadline exceeded\); /,
    );
    expect(text).toMatch(/ and 2 more$/);
  });

  it('does not take Unknown for ready', () => {
    expect(allReady([release('a', 'Unknown', 'Progressing', 'Running install')])).toContain('Progressing');
  });
});

describe('other gates', () => {
  it('the first shut one is what is said', () => {
    expect(firstShut([null, 'second', 'third'])).toBe('second');
    expect(firstShut([null, null])).toBeNull();
  });

  it('a Package list without Packages is not ready', () => {
    expect(packages([])).toBe('no Package yet');
  });

  it('an object that is not there says so by name', () => {
    expect(condition(null, 'Available', 'Deployment x')).toBe('Deployment x does not exist yet');
  });

  it.each([
    [{ phase: 'Deploying' }, 'KubeVirt is Deploying, not Deployed'],
    [{ phase: 'Deployed' }, 'KubeVirt is not Available: no status yet'],
    [{ phase: 'Deployed', conditions: [{ type: 'Available', status: 'True' }] }, null],
    [undefined, 'KubeVirt is not started, not Deployed'],
  ])('KubeVirt with status %j', (status, gate) => {
    const kubevirt = { apiVersion: 'kubevirt.io/v1', kind: 'KubeVirt', metadata: { name: 'kubevirt' }, status };
    expect(kubevirtDeployed(kubevirt)).toBe(gate);
  });

  it('a Job that retries is not a Job that gave up', () => {
    const job = (status: object): KubeObject => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j' },
      status,
    });
    expect(jobDone(job({ failed: 2 }), 'j')).toBe('Job j runs, 2 attempts failed');
    expect(jobFailure(job({ failed: 2 }))).toBeNull();
    const over = { conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: '' }] };
    expect(jobFailure(job(over))).toBe('BackoffLimitExceeded');
  });
});
