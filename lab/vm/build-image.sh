#!/bin/sh
# Builds the boot lab's disk: `build-image.sh DIRECTORY`, as root, on Debian or Ubuntu with mmdebstrap and e2fsprogs.
#
# Leaves in DIRECTORY: disk.raw (no boot loader yet), vmlinuz and initrd.img for the first boot that installs GRUB with GRUB's own
# programs, client_key and host_key (OpenSSH), root_offset (bytes, where the root file system begins).
# Debian 12 inside, for its real initramfs-tools 0.142, GRUB 2.06 and systemd 252; README.md says where it poses as Ubuntu, and why.
set -eu
out=$1
tree=$out/tree
# One disk that boots by BIOS and by UEFI: 1 MiB for GRUB's core image, 64 MiB for the EFI system partition, the rest is the root.
root_start_mib=66
# Preflight wants 20 GiB free below /var/lib; the file is sparse.
disk_gib=26

mkdir -p "$out"
ssh-keygen -q -t ed25519 -N '' -C boot-lab -f "$out/client_key"
ssh-keygen -q -t ed25519 -N '' -C boot-lab -f "$out/host_key"

# As the packages of phase 2 ask for, so that the lab needs no archive while it runs; and what the frozen scripts call.
packages=initramfs-tools,lz4,systemd-sysv,udev,dbus,openssh-server,sudo,pciutils,psmisc,procps,kmod,iproute2
packages=$packages,grub-pc,grub-efi-amd64-bin,dosfstools,lvm2,multipath-tools,open-iscsi,nfs-common,thin-provisioning-tools,gnupg,iptables,less

# Drivers that no part of the lab has: leaving them out halves the time of depmod and of copying. Hooks of storage that the root does
# not lie on: without them a boot image has 6 MiB instead of 15, and every build and every boot is that much shorter.
exclude() { printf -- '--dpkgopt=path-exclude=%s ' "$1"; }
unused='drivers/gpu drivers/media drivers/net/wireless drivers/infiniband drivers/staging sound'
# shellcheck disable=SC2046 -- one option per word
mmdebstrap --quiet --variant=minbase --include="$packages" \
  $(for folder in $unused; do exclude "/lib/modules/*/kernel/$folder/*"; done) \
  $(for hook in dmsetup iscsi lvm2 sg3-utils thermal thin-provisioning-tools; do exclude "/usr/share/initramfs-tools/hooks/$hook"; done) \
  $(exclude '/usr/share/man/*') $(exclude '/usr/share/doc/*') $(exclude '/usr/share/locale/*') \
  --aptopt='Apt::Install-Recommends "false"' \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/hooks"' \
  --essential-hook='printf "MODULES=list\nCOMPRESS=lz4\nCOMPRESSLEVEL=1\n" > "$1/etc/initramfs-tools/conf.d/boot-lab"' \
  --essential-hook="cp '$(dirname "$0")/initramfs-drivers.sh' \"\$1/usr/share/initramfs-tools/hooks/boot-lab\"" \
  --essential-hook='chmod 755 "$1/usr/share/initramfs-tools/hooks/boot-lab"' \
  --essential-hook='echo "grub-pc grub-pc/install_devices_empty boolean true" | chroot "$1" debconf-set-selections' \
  --customize-hook="sh '$(dirname "$0")/kernels.sh' \"\$1\" '$out' '$unused'" \
  --customize-hook="sh '$(dirname "$0")/customize.sh' \"\$1\" '$out'" \
  bookworm "$tree"

cp "$tree"/boot/vmlinuz-* "$out/vmlinuz"
cp "$tree"/boot/initrd.img-* "$out/initrd.img"
truncate -s "${disk_gib}G" "$out/disk.raw"
sfdisk --quiet "$out/disk.raw" <<PARTITIONS
label: gpt
start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649
start=2MiB, size=64MiB, type=U
start=${root_start_mib}MiB, type=L
PARTITIONS
# The last MiB holds the second copy of the partition table.
root_kib=$(((disk_gib * 1024 - root_start_mib - 1) * 1024))
root_offset=$((root_start_mib * 1024 * 1024))
echo "$root_offset" > "$out/root_offset"
# Features GRUB 2.06 can't read stay off.
mke2fs -q -t ext4 -L boot-lab -O '^metadata_csum_seed,^orphan_file' -E "offset=$root_offset" -d "$tree" "$out/disk.raw" "${root_kib}k"
rm -rf "$tree"
