/** Virtualisation, IOMMU, GPUs and what shares their groups. */
import { NVSWITCH_ID, type PciDeviceFacts } from '../../gpu/pci.js';
import type { ServerSpec } from '../../spec.js';
import { bad, good, listed, plural, type Check } from '../check.js';
import type { HostFacts } from '../facts.js';
import { words } from './kernel.js';

const UNSAFE_ARGUMENT = /^((intel_|amd_)?iommu=off|pcie_acs_override=|vfio\.enable_unsafe_noiommu_mode=[1yY])/;

/** Planned devices that are there, in the order of the inventory. */
const planned = (facts: HostFacts, spec: ServerSpec): readonly PciDeviceFacts[] =>
  spec.gpus.addresses.flatMap((address) => facts.devices.filter((device) => device.address === address));

const addresses = (devices: readonly PciDeviceFacts[]): string => listed(devices.map((device) => device.address));

export const DEVICE_CHECKS: readonly Check[] = [
  {
    id: 'cpu.virtualisation',
    fails: 'block',
    evaluate: ({ identity }) =>
      identity.virtualisation ? good('the CPU can run guests') : bad('the CPU offers neither VT-x nor AMD-V'),
    remedy: 'switch virtualisation on in the firmware',
  },
  {
    id: 'iommu.on',
    fails: 'block',
    evaluate: ({ identity }) =>
      identity.iommuGroups > 0
        ? good(plural(identity.iommuGroups, 'IOMMU group'))
        : bad('the kernel has no IOMMU groups'),
    remedy:
      'switch VT-d or AMD-Vi on in the firmware; on kernels without CONFIG_INTEL_IOMMU_DEFAULT_ON also intel_iommu=on',
  },
  {
    id: 'iommu.command-line',
    fails: 'block',
    evaluate: ({ identity }) => {
      const unsafe = words(identity.commandLine).filter((word) => UNSAFE_ARGUMENT.test(word));
      if (identity.unsafeNoiommu) unsafe.push('vfio.enable_unsafe_noiommu_mode');
      return unsafe.length === 0
        ? good('no argument weakens the IOMMU')
        : bad(`weakens or disables the IOMMU: ${listed(unsafe)}`);
    },
    remedy: 'take it off the kernel command line or out of /etc/modprobe.d: guests could reach the memory of the host',
  },
  {
    id: 'gpu.present',
    fails: 'block',
    evaluate: (facts, spec) => {
      const found = planned(facts, spec);
      const wrong = spec.gpus.addresses.flatMap((address) => {
        const device = found.find((candidate) => candidate.address === address);
        if (device === undefined) return [`${address} is empty`];
        return device.vendorDevice === spec.gpus.id ? [] : [`${address} is ${device.vendorDevice}`];
      });
      const all = plural(spec.gpus.addresses.length, 'GPU');
      return wrong.length === 0
        ? good(`${all} ${spec.gpus.id} at their addresses`)
        : bad(`expected ${all} ${spec.gpus.id}: ${listed(wrong)}`, {
            there: facts.devices
              .filter((device) => device.vendorDevice === spec.gpus.id)
              .map((device) => device.address),
          });
    },
    remedy: (_, spec) =>
      `compare servers.${spec.name}.gpus.addresses with lspci -Dnn -d ${spec.gpus.id}; addresses move with firmware and slots`,
  },
  {
    id: 'gpu.extra',
    fails: 'warn',
    evaluate: (facts, spec) => {
      const extra = facts.devices.filter(
        (device) => device.vendorDevice === spec.gpus.id && !spec.gpus.addresses.includes(device.address),
      );
      return extra.length === 0
        ? good('no GPU of the same kind beside those listed')
        : bad(`${plural(extra.length, 'GPU')} more of the same kind, not listed: ${addresses(extra)}`);
    },
    remedy: (_, spec) =>
      `they keep their driver; add them to servers.${spec.name}.gpus.addresses if guests are to have them`,
  },
  {
    id: 'gpu.groups',
    fails: 'block',
    evaluate: (facts, spec) => {
      const found = planned(facts, spec);
      const without = found.filter((device) => device.iommuGroup === null);
      const shared = found.filter((device) => device.groupMembers.length > 0);
      if (without.length > 0) return bad(`no IOMMU group: ${addresses(without)}`);
      if (shared.length > 0)
        return bad(
          `shares its IOMMU group: ${listed(shared.map((device) => `${device.address} (group ${device.iommuGroup}) with ${listed(device.groupMembers)}`))}`,
        );
      return good(`${plural(found.length, 'GPU')} in as many IOMMU groups`, {
        groups: found.map((device) => device.iommuGroup),
      });
    },
    remedy: 'switch ACS on in the firmware; KubeVirt offers one device per group, and every member must be on vfio-pci',
  },
  {
    id: 'gpu.link-width',
    fails: 'warn',
    evaluate: (facts, spec) => {
      const narrow = planned(facts, spec).filter((device) => device.linkWidth !== device.maxLinkWidth);
      return narrow.length === 0
        ? good('every link has its full width')
        : bad(
            `narrower than possible: ${listed(narrow.map((d) => `${d.address} x${d.linkWidth ?? 0} of x${d.maxLinkWidth ?? 0}`))}`,
          );
    },
    remedy: 'reseat the GPU or its riser; what is measured now is what verification compares with',
  },
  {
    id: 'gpu.config-space',
    fails: 'block',
    evaluate: (facts, spec) => {
      const dead = planned(facts, spec).filter((device) => !device.configReadable);
      return dead.length === 0
        ? good('the configuration space of every GPU is readable')
        : bad(`fallen off the bus: ${addresses(dead)}`);
    },
    remedy: 'a cold power cycle brings a device back, or it is broken; dmesg has the Xid',
  },
  {
    id: 'gpu.foreign-vfio',
    fails: 'block',
    evaluate: (facts, spec) => {
      const foreign = facts.devices.filter(
        (device) => device.driver === 'vfio-pci' && !spec.gpus.addresses.includes(device.address),
      );
      return foreign.length === 0
        ? good('no other device is on vfio-pci')
        : bad(`on vfio-pci and not planned: ${listed(foreign.map((d) => `${d.address} (${d.vendorDevice})`))}`);
    },
    remedy: 'find out who gave it to vfio-pci; verification accepts the planned devices only',
  },
  {
    id: 'fabric.nvlink',
    fails: 'warn',
    evaluate: (facts, spec) => {
      const switches = facts.devices.filter((device) => device.vendorDevice === NVSWITCH_ID);
      return switches.length === 0
        ? good('no NVSwitch')
        : bad(`nvswitch: ${spec.gpus.nvswitch}. GPUs in VMs work singly or over PCIe, without NVLink`, {
            switches: switches.map((device) => device.address),
          });
    },
    remedy: 'nothing to do if that is what is wanted: NVSwitches stay with the host',
  },
];
