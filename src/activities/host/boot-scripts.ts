/**
 * Frozen scripts about booting. See scripts.ts for the rules they follow.
 * @module
 */

/** `IMAGE WORKDIR KERNEL HOOK LAUNCHER`: opens one boot image and prints what matters, tab-separated; last line `end`. */
export const INSPECT_IMAGE = `set -eu
image=$1 dir=$2 kernel=$3 hook=$4 launcher=$5
rm -rf "$dir"
unmkinitramfs "$image" "$dir"
root=$dir
if [ -d "$dir/main" ]; then root=$dir/main; fi
top=$root/scripts/init-top
if [ -f "$top/ORDER" ]; then
  while read -r word rest; do
    case $word in
    /scripts/init-top/*) printf 'order\\t%s\\n' "\${word##*/}" ;;
    esac
  done < "$top/ORDER"
fi
show() {
  if [ -f "$2" ]; then
    printf '%s\\t%s\\t%s\\n' "$1" "$(sha256sum < "$2" | cut -d' ' -f1)" "$(stat -c %a "$2")"
  fi
}
show hook "$top/$hook"
show launcher "$top/$launcher"
for file in $(find "$root" -name 'vfio*.ko*' -o -name 'nvidia*.ko*' -o -name 'nouveau.ko*'); do
  printf 'module\\t%s\\n' "\${file##*/}"
done
builtin=/lib/modules/$kernel/modules.builtin
if [ -f "$builtin" ] && grep -q '/vfio-pci\\.ko' "$builtin"; then printf 'builtin\\n'; fi
rm -rf "$dir"
printf 'end\\n'`;

/** `GRUBENV NAME VALUE`: sets a GRUB variable durably; an empty value unsets it. Prints the environment as it reads back. */
export const SET_GRUB_VARIABLE = `set -eu
if [ -n "$3" ]; then grub-editenv "$1" set "$2=$3"; else grub-editenv "$1" unset "$2"; fi
sync "$1"
sync -f "$1"
grub-editenv "$1" list`;

/** `BOOT-ID LOG NOTE`, fenced: reboots if this boot is still running. Exit 44 another boot runs, 45 kexec armed, 46 soft reboot armed; any other but 0: no reboot was ordered. */
export const REBOOT_IF = `set -u
running=$(cat /proc/sys/kernel/random/boot_id)
if [ "$running" != "$1" ]; then echo "boot $running runs, not $1" >&2; exit 44; fi
if [ "$(cat /sys/kernel/kexec_loaded 2>/dev/null || echo 0)" != 0 ]; then echo "a kexec kernel is loaded" >&2; exit 45; fi
if [ -e /run/nextroot ]; then echo "/run/nextroot exists" >&2; exit 46; fi
unit=gpu-provision-reboot-\${1%%-*}
if systemctl is-active --quiet "$unit.timer"; then echo "asked already"; exit 0; fi
printf '%s %s %s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$3" >> "$2"
sync "$2"
systemd-run --quiet --collect --unit="$unit" --on-active=2 systemctl reboot && exit 0
code=$?
# Its answer may be lost where the order is not: then the timer is there, or what it starts, or the shutdown.
if systemctl is-active --quiet "$unit.timer" "$unit.service"; then exit 0; fi
if [ "$(systemctl is-system-running)" = stopping ]; then exit 0; fi
exit $code`;

/** `CONFIRMED-PATH BOOT-ID`: tells the dead-man service that this boot has been seen. */
export const CONFIRM_BOOT = `set -eu
running=$(cat /proc/sys/kernel/random/boot_id)
if [ "$running" != "$2" ]; then echo "boot $running runs, not $2" >&2; exit 44; fi
mkdir -p "\${1%/*}"
printf '%s\\n' "$2" > "$1"
cat "$1"`;

/** `LEDGER PATH…`: unified diff of each saved original against what is there now. */
export const DIFF_LEDGER = `set -u
ledger=$1
for entry in "$ledger"/entries/*; do
  if [ ! -f "$entry" ]; then continue; fi
  path=$(cut -f4 "$entry") was=$(cut -f1 "$entry") sha=$(cut -f2 "$entry")
  case $path in
  /boot/initrd*|/boot/grub/grubenv) continue ;;
  esac
  if [ ! -e "$path" ]; then continue; fi
  old=/dev/null
  if [ "$was" = existed ]; then old=$ledger/blobs/$sha; fi
  body=$(diff -u "$old" "$path" | tail -n +3)
  if [ -n "$body" ]; then printf -- '--- %s\\n+++ %s (staged)\\n%s\\n' "$path" "$path" "$body"; fi
done
exit 0`;
