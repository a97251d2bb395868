/**
 * What a dry run of the first server finds. Figures are invented.
 * @module
 */
import type { PlannedChange, PlanPreview } from '../../src/domain/preflight.js';
import type { PhaseName } from '../../src/domain/run/phases.js';
import { plan } from './runs.js';

type Kind = PlannedChange['kind'];

const change = (phase: PhaseName, sign: PlannedChange['sign'], kind: Kind, what: string, diff = ''): PlannedChange => ({
  phase,
  sign,
  kind,
  what,
  diff,
});
const several = (
  phase: PhaseName,
  sign: PlannedChange['sign'],
  kind: Kind,
  names: readonly string[],
): PlannedChange[] =>
  names.map((name) => change(phase, sign, kind, name, kind === 'file' ? `+content of ${name}\n` : ''));

const checks = Array.from({ length: 35 }, (_, i) => ({
  id: `check.${i}`,
  severity: 'ok' as const,
  text: 'as it should be',
  remedy: '',
  evidence: {},
}));

export const preview: PlanPreview = {
  server: 'h100-01',
  address: '192.0.2.11',
  cluster: 'fra1-a',
  host: { serial: '5XKQ1P3', bmcAgrees: true, os: 'Ubuntu 24.04.3', kernel: '6.8.0-60', uptimeSeconds: 1_036_800 },
  checks: [
    ...checks,
    {
      id: 'boot.post',
      severity: 'warn',
      text: '3 earlier boots took 11, 12 and 16 min; reboot alarm set to 35 min',
      remedy: '',
      evidence: { seconds: [660, 720, 960] },
    },
    {
      id: 'fabric.nvlink',
      severity: 'warn',
      text: 'nvswitch: none. GPUs in VMs work singly or over PCIe, without NVLink',
      remedy: '',
      evidence: {},
    },
    {
      id: 'workloads.vm',
      severity: 'block',
      text: '2 VMs run here: tenant-a/db-0, tenant-b/web-1',
      remedy: 'stop or move them, or set  servers.h100-01.workloads: stop',
      evidence: { vms: ['tenant-a/db-0', 'tenant-b/web-1'] },
    },
  ],
  changes: [
    ...several('node-preparation', '+', 'package', [
      'lvm2',
      'thin-provisioning-tools',
      'multipath-tools',
      'nfs-common',
    ]),
    change(
      'node-preparation',
      '~',
      'file',
      '/etc/lvm/lvm.conf',
      '--- a/etc/lvm/lvm.conf\n+++ b/etc/lvm/lvm.conf\n@@ -1 +1 @@\n-        # global_filter = [ "a|.*|" ]\n' +
        '+        global_filter = ["r|^/dev/drbd.*|", "r|^/dev/zd.*|", "r|^/dev/loop.*|"]\n',
    ),
    ...several('node-preparation', '+', 'file', [
      '/etc/sysctl.d/99-cozystack.conf',
      '/etc/modules-load.d/cozystack.conf',
    ]),
    ...several('node-preparation', '+', 'module', [
      'drbd',
      'zfs',
      'openvswitch',
      'geneve',
      'vhost_net',
      'nvme_tcp',
      'dm_thin_pool',
    ]),
    change('k3s', '+', 'package', 'k3s v1.35.3+k3s1'),
    ...several(
      'gpu-isolation',
      '+',
      'file',
      plan.files.map(({ path }) => path),
    ),
    ...several('gpu-isolation', '~', 'image', ['6.8.0-60', '6.8.0-58']),
    change('gpu-isolation', '+', 'reboot', 'one-shot into the new image'),
    change('cozystack', '+', 'package', 'cozystack 1.5.4'),
    ...several('cozystack', '+', 'disk', ['SAMSUNG_MZQL23T8HCLS_S64GNE0R1', 'SAMSUNG_MZQL23T8HCLS_S64GNE0R2']),
    change('kubevirt', '~', 'object', 'Package cozystack.kubevirt'),
    change('nested-cluster', '+', 'object', 'Tenant tenant-root/workload'),
    change('nested-cluster', '+', 'object', 'Kubernetes tenant-workload/main'),
    change('acceptance', '+', 'object', 'Job tenant-workload/gpu-acceptance'),
  ],
  devices: plan.devices.map(({ address, driver, iommuGroup }) => ({ address, driver, iommuGroup })),
  usualBootSeconds: 840,
};
