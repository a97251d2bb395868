/**
 * Frozen scripts that install and remove k3s; both run as transient units.
 * @module
 */

/**
 * `BINARY_URL SUMS_URL ASSET TARGET`: downloads beside the target, compares with the release's list of hashes, and only then renames.
 * An interrupted download leaves a file that no PATH looks for.
 */
export const DOWNLOAD_K3S = `set -eu
url=$1 sums=$2 asset=$3 target=$4
tmp=\${target%/*}/.\${target##*/}.gp~
curl -fsSL --retry 5 --retry-connrefused -o "$tmp" "$url"
want=$(curl -fsSL --retry 5 --retry-connrefused "$sums" | awk -v asset="$asset" '$2 == asset {print $1}')
got=$(sha256sum < "$tmp" | cut -d' ' -f1)
if [ -z "$want" ]; then rm -f "$tmp"; echo "$sums names no $asset" >&2; exit 70; fi
if [ "$got" != "$want" ]; then rm -f "$tmp"; echo "$url has sha256 $got, the release says $want" >&2; exit 70; fi
chown 0:0 "$tmp"
chmod 755 "$tmp"
sync "$tmp"
mv -T "$tmp" "$target"
sync -f "$target"`;

/**
 * `UNIT`: stops k3s with everything it started and removes its state, as k3s-killall.sh and k3s-uninstall.sh do. KillMode=process leaves
 * the containers' shims running in the unit's control group, so they are killed there. The containerd drop-in of phase 2 stays.
 */
export const REMOVE_K3S_STATE = `set -u
unit=$1
systemctl disable "$unit"
systemctl stop "$unit"
systemctl kill --kill-whom=all --signal=SIGKILL "$unit" 2>/dev/null || true
systemctl stop kubepods.slice 2>/dev/null || true
awk '$2 ~ "^(/run/k3s|/var/lib/rancher/k3s|/var/lib/kubelet|/run/netns/cni-)" {print $2}' /proc/self/mounts | sort -r | while read -r mount; do
  umount -f "$mount" || umount -l "$mount"
done
data=/var/lib/rancher/k3s
for path in "$data"/* "$data"/agent/* "$data"/agent/etc/* "$data"/agent/etc/containerd/*; do
  case $path in
    "$data"/agent | "$data"/agent/etc | "$data"/agent/etc/containerd | "$data"/agent/etc/containerd/config-v3.toml.d) ;;
    *) rm -rf --one-file-system "$path" ;;
  esac
done
rm -rf --one-file-system /var/lib/kubelet /run/k3s /etc/rancher/node
rm -f /etc/rancher/k3s/k3s.yaml
exit 0`;
