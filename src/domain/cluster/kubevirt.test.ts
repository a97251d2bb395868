import { describe, expect, it } from 'vitest';
import { serverSpec } from '../../../test/support/server-spec.js';
import {
  deviceConflict,
  kubevirtPatch,
  packagePatch,
  permits,
  virtHandlerIsStuck,
  wantedDevice,
  withDevice,
  withoutDevice,
} from './kubevirt.js';

const OURS = wantedDevice(serverSpec().gpus);
const OTHER = { pciVendorSelector: '10DE:26B9', resourceName: 'nvidia.com/L40S' };

describe('the list of permitted devices', () => {
  it('has our entry in the spelling of KubeVirt', () => {
    expect(OURS).toEqual({ pciVendorSelector: '10DE:2330', resourceName: 'nvidia.com/H100_SXM5_80GB' });
  });

  it('keeps the entries of others when ours is added and removed', () => {
    expect(withDevice([OTHER], OURS)).toEqual([OTHER, OURS]);
    expect(withDevice([OTHER, OURS], OURS)).toEqual([OTHER, OURS]);
    expect(withoutDevice([OTHER, OURS], OURS)).toEqual([OTHER]);
  });

  it('matches selectors whatever their case', () => {
    expect(permits([{ ...OURS, pciVendorSelector: '10de:2330' }], OURS)).toBe(true);
  });

  it.each([
    [
      { ...OURS, resourceName: 'nvidia.com/GH100_H100_SXM5_80GB' },
      '10DE:2330 is permitted as nvidia.com/GH100_H100_SXM5_80GB already, wanted nvidia.com/H100_SXM5_80GB',
    ],
    [
      { ...OURS, externalResourceProvider: true },
      '10DE:2330 is permitted as nvidia.com/H100_SXM5_80GB by another device plugin already, wanted nvidia.com/H100_SXM5_80GB',
    ],
    [OTHER, null],
    [OURS, null],
  ])('%j in the list', (entry, conflict) => {
    expect(deviceConflict([entry], OURS)).toBe(conflict);
  });

  it('that becomes empty is taken away: an empty list would permit nothing', () => {
    const header = { apiVersion: 'v1', kind: 'Any', metadata: { name: 'any' } };
    const configuration = { permittedHostDevices: { pciHostDevices: [OURS] }, imagePullPolicy: 'Always' };
    expect(kubevirtPatch({ ...header, spec: { configuration } }, [])).toEqual({
      spec: { configuration: { permittedHostDevices: null } },
    });
    const set = packagePatch(header, [OURS]);
    expect(set).toEqual({
      spec: { components: { kubevirt: { values: { permittedHostDevices: { pciHostDevices: [OURS] } } } } },
    });
    // What had no components before has none after.
    expect(packagePatch({ ...header, ...set }, [])).toEqual({ spec: { components: null } });
  });
});

describe('virt-handler is replaced', () => {
  const started = (startTime?: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'virt-handler-x' },
    status: startTime === undefined ? {} : { startTime },
  });
  const NOW = Date.parse('2026-11-24T12:00:00Z');

  it.each([
    ['after it had two minutes', '2026-11-24T11:58:00Z', 0, true],
    ['not while it may still find them', '2026-11-24T11:59:00Z', 0, false],
    ['a second time', '2026-11-24T11:50:00Z', 1, true],
    ['not a third time', '2026-11-24T11:50:00Z', 2, false],
    ['not before it has started', undefined, 0, false],
  ])('%s', (_case, startTime, restarts, stuck) => {
    expect(virtHandlerIsStuck(started(startTime), restarts, NOW)).toBe(stuck);
  });
});
