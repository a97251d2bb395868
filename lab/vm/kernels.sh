#!/bin/sh
# `kernels.sh ROOT OUT UNUSED`: two kernels of Debian's archive. The older one is installed; the newer one waits in an archive of the host's
# own, /srv/archive, for upgrade-kernel. UNUSED: folders below /lib/modules/*/kernel that the newer one comes without, as the older does.
# Called by build-image.sh.
set -eu
root=$1 out=$2 unused=$3
work=$out/packages
archive=$root/srv/archive
mkdir -p "$work" "$archive"

releases=$(chroot "$root" apt-cache search --names-only '^linux-image-6\.1\.0-[0-9]+-amd64$' | sed 's/^linux-image-//; s/ .*//' | sort -V | tail -n 2)
older=$(echo "$releases" | head -n 1)
newer=$(echo "$releases" | tail -n 1)
[ "$older" != "$newer" ]

# `empty NAME VERSION DEPENDS FOLDER`: a package without files. Nothing in phases 1, 2 and 4 uses those of the packages that it stands for.
empty() {
  mkdir -p "$work/empty/DEBIAN"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nDepends: %s\nMaintainer: boot lab\nDescription: empty, for the boot lab\n' \
    "$1" "$2" "$3" | sed '/^Depends: $/d' > "$work/empty/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$work/empty" "$4/$1.deb" > /dev/null
  rm -r "$work/empty"
}

# Names that Debian 12 has not, or only with a compiler. The metapackage brings the newer kernel by its next version, as in Ubuntu.
mkdir "$root/tmp/installed"
empty zfsutils-linux 1 '' "$root/tmp/installed"
empty linux-image-generic 1 "linux-image-$older" "$root/tmp/installed"
empty linux-image-generic 2 "linux-image-$newer" "$archive"
for part in headers modules-extra; do
  empty "linux-$part-$older" 1 '' "$root/tmp/installed"
  empty "linux-$part-$newer" 1 '' "$archive"
done
chroot "$root" apt-get install --yes --quiet=2 "linux-image-$older" > /dev/null
chroot "$root" sh -c 'dpkg -i /tmp/installed/*.deb' > /dev/null

# Its own maintainer scripts, packed again: half the size, and gzip, since xz takes a machine without KVM a minute.
chroot "$root" sh -c "cd /tmp && apt-get download --quiet=2 linux-image-$newer"
dpkg-deb --raw-extract "$root"/tmp/linux-image-*.deb "$work/kernel"
for folder in $unused; do rm -rf "$work/kernel/lib/modules/$newer/kernel/$folder"; done
dpkg-deb --root-owner-group -Zgzip -z1 --build "$work/kernel" "$archive/linux-image-$newer.deb" > /dev/null
rm -r "$work" "$root/tmp/installed" "$root"/tmp/linux-image-*.deb

cd "$archive"
for package in *.deb; do
  dpkg-deb --field "$package"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$package" "$(stat -c %s "$package")" "$(sha256sum "$package" | cut -d ' ' -f 1)"
done > Packages
echo 'deb [trusted=yes] file:/srv/archive ./' > "$root/etc/apt/sources.list"
