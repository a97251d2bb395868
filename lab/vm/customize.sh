#!/bin/sh
# `customize.sh ROOT OUT`: what makes the unpacked system the boot lab's host. Called by build-image.sh.
set -eu
root=$1 out=$2

rm -f "$root/etc/os-release"
cat > "$root/etc/os-release" <<'RELEASE'
PRETTY_NAME="Ubuntu 24.04 (boot lab: Debian 12)"
ID=ubuntu
VERSION_ID="24.04"
RELEASE

echo h100-vm > "$root/etc/hostname"
printf '127.0.0.1 localhost h100-vm\n' > "$root/etc/hosts"
echo '/dev/vda3 / ext4 errors=remount-ro 0 1' > "$root/etc/fstab"
printf '[Match]\nName=en* eth*\nDriver=virtio_net\n[Network]\nDHCP=yes\n' > "$root/etc/systemd/network/boot-lab.network"
chroot "$root" systemctl enable --quiet systemd-networkd.service
# Without it boots wait two minutes for the eight links that lead nowhere.
chroot "$root" systemctl disable --quiet systemd-networkd-wait-online.service
# Services that come with packages of phase 2 and that nothing here needs at each boot.
chroot "$root" systemctl disable --quiet rpcbind.service rpcbind.socket nfs-client.target e2scrub_reap.service

chroot "$root" useradd -m -s /bin/bash ubuntu
echo 'ubuntu ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/ubuntu"
echo 'root:boot-lab' | chroot "$root" chpasswd
mkdir -p "$root/home/ubuntu/.ssh"
cp "$out/client_key.pub" "$root/home/ubuntu/.ssh/authorized_keys"
chroot "$root" chown -R ubuntu:ubuntu /home/ubuntu/.ssh
rm -f "$root"/etc/ssh/ssh_host_*
cp "$out/host_key" "$root/etc/ssh/ssh_host_ed25519_key"
cp "$out/host_key.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
chmod 600 "$root/etc/ssh/ssh_host_ed25519_key"
mkdir -p "$root/var/log/journal"

# norandmaps: with it QEMU flushed its cache of translated code far less often. Why is a guess: see the README.
cat > "$root/etc/default/grub" <<'GRUB'
GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=Ubuntu
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=ttyS0 norandmaps"
GRUB_TERMINAL="serial"
GRUB_SERIAL_COMMAND="serial --speed=115200"
GRUB

# What Ubuntu's GRUB has and Debian's lacks: it notes in grubenv that a boot has not ended well yet (recordfail, which Debian ships
# switched off), and after a failed boot without initrd it replaces next_entry (the initrdfail block, in Ubuntu's words).
sed -i 's/^quick_boot=.*/quick_boot="1"/' "$root/etc/grub.d/00_header" "$root/etc/grub.d/10_linux"
cat > "$out/initrdfail" <<'GRUB'
if [ "\${initrdfail}" = 2 ]; then
   set initrdfail=
elif [ "\${initrdfail}" = 1 ]; then
   set next_entry="\${prev_entry}"
   set prev_entry=
   save_env prev_entry
   if [ "\${next_entry}" ]; then
      set initrdfail=2
   fi
fi
GRUB
sed -i "/^  load_env\$/{n;r $out/initrdfail
}" "$root/etc/grub.d/00_header"
rm "$out/initrdfail"
[ "$(grep -c '^quick_boot="1"' "$root/etc/grub.d/00_header")" = 1 ]
[ "$(grep -c 'initrdfail' "$root/etc/grub.d/00_header")" = 4 ]

cat > "$root/etc/systemd/system/grub-common.service" <<'UNIT'
[Unit]
Description=Record successful boot for GRUB
ConditionPathExists=/boot/grub/grub.cfg
[Service]
Type=oneshot
ExecStart=grub-editenv /boot/grub/grubenv unset recordfail
[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl enable --quiet grub-common.service

# GRUB is installed by its own programs, on a machine that has the disk: they can't tell where / is from inside a chroot.
cat > "$root/usr/local/sbin/boot-lab-first-boot" <<'SCRIPT'
#!/bin/sh
set -eux
mkfs.vfat -n BOOTLAB /dev/vda2
echo "UUID=$(blkid -s UUID -o value /dev/vda2) /boot/efi vfat umask=0077 0 1" >> /etc/fstab
mkdir -p /boot/efi
mount /boot/efi
grub-install --target=i386-pc /dev/vda
grub-install --target=x86_64-efi --efi-directory=/boot/efi --removable --no-nvram
update-grub
grub-editenv /boot/grub/grubenv create
rm /etc/systemd/system/boot-lab-first-boot.service /etc/systemd/system/multi-user.target.wants/boot-lab-first-boot.service "$0"
touch /boot-lab-done
sync
SCRIPT
chmod 755 "$root/usr/local/sbin/boot-lab-first-boot"
cat > "$root/etc/systemd/system/boot-lab-first-boot.service" <<'UNIT'
[Unit]
Description=Install GRUB, then power off: the disk is the base of every boot lab
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/boot-lab-first-boot
ExecStopPost=/usr/bin/systemctl --no-block poweroff
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl enable --quiet boot-lab-first-boot.service
rm -f "$root/etc/machine-id"; : > "$root/etc/machine-id"
