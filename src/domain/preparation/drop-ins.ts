/**
 * Small files of phase 2.
 * @module
 */

export const MULTIPATH_PATH = '/etc/multipath/conf.d/gpu-provision-drbd.conf';

export const MULTIPATH_PATTERN = '"^drbd[0-9]+"';

/** multipathd would take DRBD devices for paths and hold them; LINSTOR's volumes are then lost after a reboot. */
export const MULTIPATH_TEXT = `# Written by gpu-provision.
blacklist {
    devnode ${MULTIPATH_PATTERN}
}
`;

/** k3s's containerd reads it when it starts. */
export const CONTAINERD_PATH = '/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/10-cozystack-cri.toml';

/** Without it CDI's importer may not open the block device it fills, and VMs stay Pending. */
export const CONTAINERD_TEXT = `# Written by gpu-provision.
version = 3

[plugins.'io.containerd.cri.v1.runtime']
  device_ownership_from_security_context = true
`;

/** Storage drivers talk to these. */
export const STORAGE_SERVICES = ['iscsid.service', 'multipathd.service'] as const;
