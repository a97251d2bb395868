/**
 * What drift checks of the first server find. Texts as the activities say them; figures are invented.
 * @module
 */
import { drift, ok, type VerifyReport } from '../../src/domain/verify.js';
import { at } from './runs.js';

const good = [
  ok('preparation.set-sysctl', '10 kernel parameters set'),
  ok('ledger', 'run 5d1e committed at 2026-11-24T16:02:11.000Z'),
  ok('boot.entry', 'the host runs its default entry'),
  ok('known-good.modules', '/lib/modules/6.8.0-60-generic is there'),
  ...Array.from({ length: 7 }, (_, i) => ok('device', `0000:0${i}:00.0: driver vfio-pci`)),
];

export const asProvisioned: VerifyReport = {
  server: 'h100-01',
  cluster: 'fra1-a',
  at: at('16:10:00'),
  verdict: 'ok',
  holder: null,
  items: good,
};

export const drifted: VerifyReport = {
  ...asProvisioned,
  verdict: 'drift',
  items: [
    ...good,
    drift(
      'kernel.later',
      'kernel 6.8.0-62-generic was installed since, and its image does not isolate the GPUs: vfio-pci-override is not in the image',
      'do not boot it: remove its packages, apt-get purge linux-image-6.8.0-62-generic linux-modules-6.8.0-62-generic; gpu-provision upgrade-kernel h100-01 installs it with a way back',
    ),
    drift('device', '0000:87:00.0: driver is nvidia, expected vfio-pci', 'keep new VMs off the node'),
    {
      id: 'kubevirt.await-allocatable',
      state: 'unknown',
      text: 'could not be read: 192.0.2.11:6443: no answer for 40 s',
      remedy: 'verify again when it answers',
    },
  ],
};

export const heldByRun: VerifyReport = { ...asProvisioned, verdict: 'busy', holder: '0197c1d2-5d1e', items: [] };
export const rebootedMeanwhile: VerifyReport = { ...heldByRun, holder: null };
