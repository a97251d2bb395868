/**
 * Where k3s keeps things on a host.
 * @module
 */

/** Written by k3s when its API is up; has cluster-admin credentials. */
export const KUBECONFIG_PATH = '/etc/rancher/k3s/k3s.yaml';
export const K3S_CONFIG_PATH = '/etc/rancher/k3s/config.yaml';
export const K3S_REGISTRIES_PATH = '/etc/rancher/k3s/registries.yaml';
export const K3S_TOKEN_PATH = '/etc/rancher/k3s/cluster-token';
export const K3S_BINARY_PATH = '/usr/local/bin/k3s';
export const K3S_UNIT = 'k3s.service';
export const K3S_UNIT_PATH = `/etc/systemd/system/${K3S_UNIT}`;
