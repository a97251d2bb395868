/**
 * Kernel modules that matter here: what they need and which PCI drivers they register. Where a module's file is missing
 * (from an image, from /usr/lib/modules) it can't be loaded.
 * @module
 */

export interface KernelModule {
  /** Underscores, as lsmod shows it. */
  readonly name: string;
  /** Below /usr/lib/modules/VERSION/kernel, without the compression suffix. */
  readonly file: string;
  readonly size: number;
  readonly depends: readonly string[];
  readonly drivers: readonly string[];
}

const table: readonly (readonly [name: string, file: string, size: number, depends: string, drivers: string])[] = [
  ['vfio', 'drivers/vfio/vfio.ko', 69632, '', ''],
  ['vfio_iommu_type1', 'drivers/vfio/vfio_iommu_type1.ko', 49152, 'vfio', ''],
  ['vfio_pci_core', 'drivers/vfio/pci/vfio-pci-core.ko', 86016, 'vfio', ''],
  ['vfio_pci', 'drivers/vfio/pci/vfio-pci.ko', 16384, 'vfio_pci_core', 'vfio-pci'],
  ['nvidia', 'updates/dkms/nvidia.ko', 14090240, '', 'nvidia nvidia-nvswitch'],
  ['nvidia_modeset', 'updates/dkms/nvidia-modeset.ko', 1810432, 'nvidia', ''],
  ['nvidia_drm', 'updates/dkms/nvidia-drm.ko', 139264, 'nvidia_modeset', ''],
  ['nvidia_uvm', 'updates/dkms/nvidia-uvm.ko', 2076672, 'nvidia', ''],
  ['nouveau', 'drivers/gpu/drm/nouveau/nouveau.ko', 3096576, '', 'nouveau'],
  ['mlx5_core', 'drivers/net/ethernet/mellanox/mlx5/core/mlx5_core.ko', 2449408, '', 'mlx5_core'],
  ['nvme', 'drivers/nvme/host/nvme.ko', 61440, 'nvme_core', 'nvme'],
  ['nvme_core', 'drivers/nvme/host/nvme-core.ko', 212992, '', ''],
  ['br_netfilter', 'net/bridge/br_netfilter.ko', 32768, 'bridge', ''],
  ['bridge', 'net/bridge/bridge.ko', 421888, '', ''],
  ['overlay', 'fs/overlayfs/overlay.ko', 212992, '', ''],
  ['nf_conntrack', 'net/netfilter/nf_conntrack.ko', 200704, '', ''],
  ['dm_thin_pool', 'drivers/md/dm-thin-pool.ko', 86016, 'dm_persistent_data', ''],
  ['dm_persistent_data', 'drivers/md/persistent-data/dm-persistent-data.ko', 110592, '', ''],
  ['dm_snapshot', 'drivers/md/dm-snapshot.ko', 57344, '', ''],
  ['dm_multipath', 'drivers/md/dm-multipath.ko', 45056, '', ''],
  ['dm_crypt', 'drivers/md/dm-crypt.ko', 69632, '', ''],
  ['dm_mirror', 'drivers/md/dm-mirror.ko', 28672, '', ''],
  ['zfs', 'zfs/zfs.ko', 6602752, 'spl', ''],
  ['spl', 'zfs/spl.ko', 180224, '', ''],
  ['tcp_bbr', 'net/ipv4/tcp_bbr.ko', 20480, '', ''],
  ['openvswitch', 'net/openvswitch/openvswitch.ko', 212992, 'nf_conntrack', ''],
  ['geneve', 'drivers/net/geneve.ko', 49152, '', ''],
  ['vxlan', 'drivers/net/vxlan/vxlan.ko', 155648, '', ''],
  ['ip_tables', 'net/ipv4/netfilter/ip_tables.ko', 32768, '', ''],
  ['iptable_nat', 'net/ipv4/netfilter/iptable_nat.ko', 12288, 'ip_tables', ''],
  ['iscsi_tcp', 'drivers/scsi/iscsi_tcp.ko', 24576, '', ''],
  ['nbd', 'drivers/block/nbd.ko', 65536, '', ''],
  ['rbd', 'drivers/block/rbd.ko', 126976, '', ''],
  ['nvme_fabrics', 'drivers/nvme/host/nvme-fabrics.ko', 36864, 'nvme_core', ''],
  ['nvme_tcp', 'drivers/nvme/host/nvme-tcp.ko', 57344, 'nvme_fabrics', ''],
  ['tun', 'drivers/net/tun.ko', 61440, '', ''],
  ['vhost_net', 'drivers/vhost/vhost_net.ko', 36864, 'vhost', ''],
  ['vhost', 'drivers/vhost/vhost.ko', 65536, '', ''],
  ['kvm', 'arch/x86/kvm/kvm.ko', 1409024, '', ''],
  ['kvm_intel', 'arch/x86/kvm/kvm-intel.ko', 487424, 'kvm', ''],
  ['ip_vs', 'net/netfilter/ipvs/ip_vs.ko', 221184, 'nf_conntrack', ''],
];

export const KERNEL_MODULES: ReadonlyMap<string, KernelModule> = new Map(
  table.map(([name, file, size, depends, drivers]) => [
    name,
    { name, file, size, depends: depends.split(' ').filter(Boolean), drivers: drivers.split(' ').filter(Boolean) },
  ]),
);

/** In the kernel itself: modprobe succeeds and lsmod doesn't show them. */
export const BUILTIN_MODULES: ReadonlySet<string> = new Set([
  'pcieportdrv',
  'ext4',
  'dm_mod',
  'loop',
  'iommufd_builtin',
]);

export const moduleName = (name: string): string => name.replaceAll('-', '_');
