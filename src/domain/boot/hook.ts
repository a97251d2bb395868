/**
 * What goes into the initramfs: the hook at the documented path, its launcher, and the modules.
 * @module
 */
import { HOOK_PATH, HOOK_STATUS_PATH } from '../host-layout.js';
import type { GpuSpec } from '../spec.js';

const HOOK_IN_IMAGE = `/scripts/init-top/${HOOK_PATH.slice(HOOK_PATH.lastIndexOf('/') + 1)}`;

/** Loaded after init-top by the initramfs itself; the hook's modprobe works because this puts the files into the image. */
export const VFIO_MODULES = ['vfio', 'vfio_iommu_type1', 'vfio_pci'] as const;

/** On the kernel command line it makes the hook do nothing. */
export const HOOK_OFF_TOKEN = 'gpu-provision.vfio=off';

/**
 * POSIX sh for klibc and busybox. It never fails a boot: `exit 0` whatever happens, no `set -e`, no unbounded loop, no unbind.
 * Guarded by PCI id, because a BIOS update or a moved card changes addresses, and the wrong device on vfio-pci (a NIC, a disk
 * controller) would cost the host. Without the `prereqs` case update-initramfs would run it on the live host.
 */
export function renderHook(gpus: GpuSpec): string {
  const [vendor, device] = gpus.id.split(':');
  return `#!/bin/sh
# Written by gpu-provision. Binds the GPUs below to vfio-pci before any native driver can.
# To disarm by hand: rm ${HOOK_PATH} && update-initramfs -u -k all && reboot
case "$1" in
prereqs)
  echo ""
  exit 0
  ;;
esac

status=${HOOK_STATUS_PATH}
# The launcher runs this first, initramfs-tools once more by its own order: the first result counts.
if [ -e "$status" ]; then exit 0; fi
mkdir -p "\${status%/*}"
: > "$status"

for word in $(cat /proc/cmdline); do
  if [ "$word" = ${HOOK_OFF_TOKEN} ]; then
    echo "off by kernel command line" >> "$status"
    exit 0
  fi
done

addresses="${gpus.addresses.join(' ')}"
for address in $addresses; do
  path=/sys/bus/pci/devices/$address
  if [ ! -e "$path/driver_override" ]; then
    echo "$address absent" >> "$status"
    continue
  fi
  read -r vendor < "$path/vendor"
  read -r device < "$path/device"
  if [ "$vendor:$device" != "0x${vendor}:0x${device}" ]; then
    echo "$address is $vendor:$device, left alone" >> "$status"
    continue
  fi
  echo vfio-pci > "$path/driver_override"
  echo "$address overridden" >> "$status"
done

modprobe vfio-pci

for address in $addresses; do
  path=/sys/bus/pci/devices/$address
  # Where vfio-pci was registered already, nothing probes the device again by itself.
  if [ -e "$path/driver_override" ] && [ ! -e "$path/driver" ]; then
    echo "$address" > /sys/bus/pci/drivers_probe
  fi
  if [ -e "$path/driver" ]; then
    driver=$(readlink "$path/driver")
    echo "$address driver \${driver##*/}" >> "$status"
  fi
done
echo "gpu-provision: vfio-pci-override done" > /dev/kmsg
exit 0
`;
}

/**
 * `vfio-pci-override` alone sorts after `udev`, which cold-plugs native drivers first. This name sorts before it. With the hook
 * removed it does nothing, so the documented manual recovery (remove one file, rebuild) disarms both.
 */
export const LAUNCHER = `#!/bin/sh
# Written by gpu-provision: runs ${HOOK_IN_IMAGE} before udev.
case "$1" in prereqs) echo ""; exit 0 ;; esac
if [ -x ${HOOK_IN_IMAGE} ]; then exec ${HOOK_IN_IMAGE} "$@"; fi
exit 0
`;

const BEGIN = '# gpu-provision: begin';
const END = '# gpu-provision: end';

/** `/etc/initramfs-tools/modules` with our block appended, or as it is when the block is there. */
export function withVfioModules(current: string): string {
  if (current.includes(BEGIN)) return current;
  const base = current === '' || current.endsWith('\n') ? current : `${current}\n`;
  return `${base}${BEGIN}\n${VFIO_MODULES.join('\n')}\n${END}\n`;
}
