/**
 * Frozen read-only scripts that print the facts preflight judges: lines of a key, a tab and a value; last line `end`. See
 * scripts.ts for the rules they follow. A program that is missing gives no value and `KEY.rc 127`, never an error: what follows
 * from that is for the checks to say.
 * @module
 */

/**
 * `say KEY VALUE`; `lines KEY` for each line of stdin; `file KEY PATH`; `run KEY COMMAND…` with the exit code as `KEY.rc`. A
 * line break makes one more line of the same key; \`say\` shows it as `?`, since a file can be named as if it were the next fact.
 */
const PRINTING = `set -u
newline='
'
say() {
  value=$2
  case $value in
  *"$newline"*) value=$(printf '%s' "$value" | tr '\\n' '?') ;;
  esac
  printf '%s\\t%s\\n' "$1" "$value"
}
lines() { while IFS= read -r line || [ -n "$line" ]; do say "$1" "$line"; done; }
file() { if [ -r "$2" ]; then cat "$2" 2>/dev/null | lines "$1"; fi; }
run() {
  key=$1
  shift
  text=$("$@" 2>/dev/null)
  say "$key.rc" $?
  printf '%s\\n' "$text" | lines "$key"
}
`;

/** Who the host is and what it runs. */
export const IDENTITY_FACTS = `${PRINTING}
run hostname uname -n
file serial /sys/class/dmi/id/product_serial
file os /etc/os-release
run arch uname -m
run kernel uname -r
run uid id -u
file boot-id /proc/sys/kernel/random/boot_id
file uptime /proc/uptime
file command-line /proc/cmdline
if [ -r /proc/cpuinfo ]; then grep -m 1 '^flags' /proc/cpuinfo | lines cpu-flags; fi
for group in /sys/kernel/iommu_groups/*; do
  if [ -d "$group" ]; then say iommu-group "\${group##*/}"; fi
done
file unsafe-noiommu /sys/module/vfio/parameters/enable_unsafe_noiommu_mode
say end ok`;

/** The boot chain: kernels and images, GRUB and its environment, what could replace a reboot by something else. */
export const BOOT_FACTS = `${PRINTING}
for kernel in /boot/vmlinuz-*; do
  if [ -f "$kernel" ] && [ ! -L "$kernel" ]; then say vmlinuz "\${kernel#/boot/vmlinuz-} $(stat -c %s "$kernel")"; fi
done
for image in /boot/initrd.img-*; do
  if [ -f "$image" ] && [ ! -L "$image" ]; then say initrd "\${image#/boot/initrd.img-} $(stat -c '%s %Y' "$image")"; fi
done
file uptime /proc/uptime
run now date +%s
current=
if [ -r "$1/current" ]; then current=$(cat "$1/current"); fi
for name in vmlinuz initrd.img stanza cmdline manifest; do
  if [ -n "$current" ] && [ -s "$1/$current/$name" ]; then say known-good "$name"; fi
done
if [ -d /sys/firmware/efi ]; then say efi yes; fi
run secure-boot mokutil --sb-state
run grub-fs grub-probe --target=fs /boot/grub
run grub-abstraction grub-probe --target=abstraction /boot/grub
run boot-mount findmnt -n -o FSTYPE,OPTIONS -T /boot/grub
if [ -f /boot/grub/grubenv ]; then say grubenv-bytes "$(stat -c %s /boot/grub/grubenv)"; fi
run grubenv grub-editenv /boot/grub/grubenv list
for defaults in /etc/default/grub /etc/default/grub.d/*.cfg; do
  if [ -r "$defaults" ]; then grep -E '^[[:space:]]*(export[[:space:]]+)?GRUB_[A-Z_]+=' "$defaults" | lines grub-setting; fi
done
if [ -e /boot/grub/custom.cfg ]; then
  if grep -q 'Written by gpu-provision' /boot/grub/custom.cfg; then say custom-cfg ours; else say custom-cfg foreign; fi
fi
file kexec-loaded /sys/kernel/kexec_loaded
if [ -e /run/nextroot ]; then say nextroot yes; fi
if [ -e /run/reboot-required ]; then say reboot-required yes; fi
file reboot-required-by /run/reboot-required.pkgs
run fstab findmnt --verify
say end ok`;

/** Who builds boot images and what else wants to decide about drivers. `HOOK LAUNCHER` are the paths of our own scripts. */
export const INITRAMFS_FACTS = `${PRINTING}
run owner dpkg -S /usr/sbin/update-initramfs
run dracut dpkg-query -W -f '\${Status}' dracut
if [ -r /etc/initramfs-tools/update-initramfs.conf ]; then
  grep '^update_initramfs=' /etc/initramfs-tools/update-initramfs.conf | lines update-initramfs
fi
for script in /etc/initramfs-tools/scripts/*/*; do
  if [ ! -f "$script" ] || [ "$script" = "$1" ] || [ "$script" = "$2" ]; then continue; fi
  case $script in
  */init-top/*) say init-top "$script" ;;
  esac
  if grep -q driver_override "$script"; then say override-writer "$script"; fi
done
for rule in /etc/udev/rules.d/*.rules; do
  if [ -f "$rule" ] && grep -q driver_override "$rule"; then say override-writer "$rule"; fi
done
for device in /etc/driverctl.d/*; do
  if [ -f "$device" ]; then say override-writer "$device"; fi
done
for conf in /etc/modprobe.d/*.conf; do
  if [ ! -f "$conf" ]; then continue; fi
  grep -E '^[[:space:]]*(options|blacklist|install|softdep)[[:space:]]+vfio' "$conf" | while IFS= read -r text; do
    say override-writer "$conf: $text"
  done
done
say end ok`;

/** Space, packages and the state of the system. */
export const SYSTEM_FACTS = `${PRINTING}
for dir in /boot /var/lib /var/tmp; do
  run "space $dir" df --block-size=1 --output=avail,itotal,iavail "$dir"
  run "mount $dir" findmnt -n -o OPTIONS -T "$dir"
done
run dpkg-audit dpkg --audit
run locks lslocks --noheadings --notruncate --output COMMAND,PID,PATH
run molly-guard dpkg-query -W -f '\${Status}' molly-guard
run state systemctl is-system-running
run inhibitors systemd-inhibit --list --no-legend --no-pager
run cloud-init cloud-init status
run clock timedatectl show --property=NTPSynchronized --value
run boots journalctl --list-boots --output=json --no-pager
run reboots journalctl UNIT=reboot.target JOB_RESULT=done --output=json --output-fields=UNIT --no-pager --quiet
run our-units systemctl list-units 'gpu-provision-*.service' --state=activating,deactivating,reloading --plain --no-legend --no-pager
say end ok`;

/**
 * What an inventory needs to know: disks by the ids that udev makes of model and serial (of its other names, EUIs and WWNs, nobody reads a serial),
 * and the address that the BMC has according to itself.
 */
export const DISCOVER_FACTS = `${PRINTING}
run hostname uname -n
file serial /sys/class/dmi/id/product_serial
for id in /dev/disk/by-id/nvme-* /dev/disk/by-id/ata-* /dev/disk/by-id/scsi-* /dev/disk/by-id/virtio-*; do
  case $id in
  *-part[0-9]* | */nvme-eui.* | */nvme-nvme.*) ;;
  *) if [ -e "$id" ]; then say disk "$id"; fi ;;
  esac
done
run addresses hostname -I
run bmc ipmitool lan print
say end ok`;

/**
 * `ID…`: each disk by its id, read only: what it is, and every sign of something on it. Nothing here is given the option to write.
 */
export const DISK_FACTS = `${PRINTING}
n=0
for id in "$@"; do
  device=
  if [ -e "$id" ]; then device=$(readlink -f "$id"); fi
  say "$n.device" "$device"
  if [ -n "$device" ]; then
    run "$n.lsblk" lsblk --json --bytes --output NAME,TYPE,SIZE,RO,MODEL,SERIAL,FSTYPE,PTTYPE,MOUNTPOINTS "$device"
    run "$n.wipefs" wipefs --no-act --noheadings --output TYPE "$device"
    run "$n.blkid" blkid --probe --output export "$device"
    for holder in "/sys/class/block/\${device##*/}/holders/"*; do
      if [ -e "$holder" ]; then say "$n.holder" "\${holder##*/}"; fi
    done
  fi
  n=$((n + 1))
done
say end ok`;

/** Lines of apt's sources, of either format. */
export const APT_SOURCES = `set -u
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
  if [ -r "$list" ]; then grep -hE '^(deb|URIs:)[[:space:]]' "$list" || true; fi
done`;

/** `URL…`: the HTTP status that each answers with, 000 for none. HTTPS certificates are checked, as the downloads will. */
export const REACH_FACTS = `${PRINTING}
n=0
for url in "$@"; do
  code=$(curl --silent --location --connect-timeout 5 --max-time 15 --output /dev/null --write-out '%{http_code}' "$url") || true
  say "$n.code" "\${code:-000}"
  n=$((n + 1))
done
say end ok`;
