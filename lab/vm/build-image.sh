#!/bin/sh
# Builds the boot lab's disk: `build-image.sh DIRECTORY`, as root, on Debian or Ubuntu with mmdebstrap and e2fsprogs.
#
# Leaves in DIRECTORY: disk.raw (one ext4 partition, no boot loader yet), vmlinuz and initrd.img for the first boot that installs
# GRUB with GRUB's own programs, client_key, known_hosts.line.
# Debian 12 inside, for its real initramfs-tools 0.142, GRUB 2.06 and systemd 252; README.md says where it poses as Ubuntu, and why.
set -eu
out=$1
tree=$out/tree
# The partition starts where grub-install expects a gap of 1 MiB for its core image.
partition_start_mib=1
# Preflight wants 20 GiB free below /var/lib; the file is sparse.
disk_gib=26

mkdir -p "$out"
ssh-keygen -q -t ed25519 -N '' -C boot-lab -f "$out/client_key"
ssh-keygen -q -t ed25519 -N '' -C boot-lab -f "$out/host_key"

# As the packages of phase 2 ask for, so that the lab needs no archive while it runs; and what the frozen scripts call.
packages=linux-image-amd64,initramfs-tools,lz4,systemd-sysv,udev,dbus,openssh-server,sudo,pciutils,psmisc,procps,kmod,iproute2
packages=$packages,grub-pc,lvm2,multipath-tools,open-iscsi,nfs-common,thin-provisioning-tools,gnupg,iptables,less

# Drivers that no part of the lab has: leaving them out halves the time of depmod and of copying.
exclude() { printf -- '--dpkgopt=path-exclude=%s ' "$1"; }
drivers='/lib/modules/*/kernel/drivers'
# shellcheck disable=SC2046 -- one option per word
mmdebstrap --quiet --variant=minbase --include="$packages" \
  $(exclude "$drivers/gpu/*") $(exclude "$drivers/media/*") $(exclude "$drivers/net/wireless/*") \
  $(exclude "$drivers/infiniband/*") $(exclude "$drivers/staging/*") $(exclude '/lib/modules/*/kernel/sound/*') \
  $(exclude '/usr/share/man/*') $(exclude '/usr/share/doc/*') $(exclude '/usr/share/locale/*') \
  --aptopt='Apt::Install-Recommends "false"' \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/hooks"' \
  --essential-hook='printf "MODULES=list\nCOMPRESS=lz4\n" > "$1/etc/initramfs-tools/conf.d/boot-lab"' \
  --essential-hook="cp '$(dirname "$0")/initramfs-drivers.sh' \"\$1/usr/share/initramfs-tools/hooks/boot-lab\"" \
  --essential-hook='chmod 755 "$1/usr/share/initramfs-tools/hooks/boot-lab"' \
  --essential-hook='echo "grub-pc grub-pc/install_devices_empty boolean true" | chroot "$1" debconf-set-selections' \
  --customize-hook="sh '$(dirname "$0")/customize.sh' \"\$1\" '$out'" \
  bookworm "$tree"

cp "$tree"/boot/vmlinuz-* "$out/vmlinuz"
cp "$tree"/boot/initrd.img-* "$out/initrd.img"
truncate -s "${disk_gib}G" "$out/disk.raw"
printf 'label: dos\n%sMiB,,L,*\n' "$partition_start_mib" | sfdisk --quiet "$out/disk.raw"
partition_kib=$((disk_gib * 1024 * 1024 - partition_start_mib * 1024))
# Features GRUB 2.06 can't read stay off.
mke2fs -q -t ext4 -L boot-lab -O '^metadata_csum_seed,^orphan_file' -E "offset=$((partition_start_mib * 1024 * 1024))" \
  -d "$tree" "$out/disk.raw" "${partition_kib}k"
rm -rf "$tree"
