/**
 * Frozen scripts that install and remove k3s.
 * @module
 */

/** `DOWNLOADED TARGET`: makes a checked download the program, in one step. */
export const INSTALL_BINARY = `set -eu
chown 0:0 "$1"
chmod 755 "$1"
sync "$1"
mv -T "$1" "$2"
sync -f "$2"`;

/**
 * `UNIT`: stops k3s with everything it started and removes its state, as k3s-killall.sh and k3s-uninstall.sh do. KillMode=process leaves
 * the containers' shims running in the unit's control group, so they are killed there. Nothing is removed while something is still
 * mounted below, since that would empty a volume. The containerd drop-in of phase 2 stays.
 */
export const REMOVE_K3S_STATE = `set -u
unit=$1
mounts() {
  awk '$2 ~ "^(/run/k3s|/var/lib/rancher/k3s|/var/lib/kubelet|/run/netns/cni-)" {print $2}' /proc/self/mounts | sort -r
}
systemctl disable "$unit"
systemctl stop "$unit"
systemctl kill --kill-whom=all --signal=SIGKILL "$unit" 2>/dev/null || true
systemctl stop kubepods.slice 2>/dev/null || true
mounts | while read -r mount; do umount "$mount" || umount -f "$mount"; done
left=$(mounts)
if [ -n "$left" ]; then echo "still mounted: $left" >&2; exit 70; fi
data=/var/lib/rancher/k3s
for path in "$data"/* "$data"/agent/* "$data"/agent/etc/* "$data"/agent/etc/containerd/*; do
  case $path in
    "$data"/agent | "$data"/agent/etc | "$data"/agent/etc/containerd | "$data"/agent/etc/containerd/config-v3.toml.d) ;;
    *) rm -rf "$path" ;;
  esac
done
rm -rf /var/lib/kubelet /run/k3s /etc/rancher/node
rm -f /etc/rancher/k3s/k3s.yaml`;
