#!/bin/sh
# initramfs-tools hook of the boot lab's image: the few drivers the virtual machine has, the native one of its "GPUs" among them.
# In the image and not in /etc/initramfs-tools/modules, as it is with MODULES=most: udev loads them when it cold-plugs.
case ${1-} in
prereqs) exit 0 ;;
esac
. /usr/share/initramfs-tools/hook-functions
manual_add_modules e1000e virtio_pci virtio_blk virtio_net ext4
