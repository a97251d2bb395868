/**
 * The frozen scripts that run on hosts. Arguments arrive as positional parameters, never by concatenation. POSIX sh, and only
 * programs that a fresh Ubuntu 24.04 has.
 * @module
 */

/** `RUN EPOCH -- COMMAND…`, under the lock: refuses unless the fence names exactly this run and epoch. Exit 75 when fenced. */
export const FENCED = `set -u
fence=$1 run=$2 epoch=$3
shift 3
now=$(cat "$fence" 2>/dev/null) || now=nobody
if [ "$now" != "$run $epoch" ]; then
  echo "fenced: the host belongs to $now, not to $run $epoch" >&2
  exit 75
fi
"$@"`;

/**
 * `FENCE RUN EPOCH [LOST]`, under the lock: takes the host for a run, or raises its epoch. Exit 75 when another run holds it,
 * unless that is the LOST one.
 */
export const CLAIM = `set -eu
fence=$1 run=$2 epoch=$3 lost=\${4-}
now=
if [ -e "$fence" ]; then now=$(cat "$fence"); fi
if [ -n "$now" ]; then
  owner=\${now% *} held=\${now##* }
  if [ "$owner" != "$run" ] && [ "$owner" != "$lost" ]; then echo "the host is held by run $owner" >&2; exit 75; fi
  if [ "$owner" = "$run" ] && [ "$held" -gt "$epoch" ]; then echo "epoch $epoch is over, the host is at $held" >&2; exit 75; fi
fi
printf '%s %s\\n' "$run" "$epoch" > "$fence.new"
sync "$fence.new"
mv -T "$fence.new" "$fence"
sync -f "$fence"`;

/** `FENCE RUN`, under the lock: gives the host back if this run holds it. */
export const RELEASE = `set -eu
if [ ! -e "$1" ]; then exit 0; fi
now=$(cat "$1")
if [ "\${now% *}" = "$2" ]; then rm -f "$1"; sync -f "\${1%/*}"; fi`;

/**
 * `LEDGER KEY PATH RUN STEP`: keeps the original once, before the first change. First writer wins; where the path is as that one found it,
 * an earlier run has undone its change, and what comes is this run's.
 */
export const SAVE_ORIGINAL = `set -eu
ledger=$1 key=$2 path=$3 run=$4 step=$5
entry=$ledger/entries/$key
tmp=$ledger/entries/.$key.new
if [ -e "$entry" ]; then
  was=$(cut -f1 "$entry") sha=$(cut -f2 "$entry") stat=$(cut -f3 "$entry") of=$(cut -f5 "$entry")
  if [ "$of" = "$run" ]; then exit 0; fi
  now=absent
  if [ -e "$path" ]; then now="existed $(sha256sum < "$path" | cut -d' ' -f1) $(stat -c '%a %u:%g' "$path")"; fi
  if [ "$was" = existed ]; then was="existed $sha $stat"; fi
  if [ "$now" != "$was" ]; then exit 0; fi
  printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "\${was%% *}" "$sha" "$stat" "$path" "$run" "$step" > "$tmp"
  sync "$tmp"
  mv -T "$tmp" "$entry"
  sync -f "$ledger"
  exit 0
fi
mkdir -p "$ledger/entries" "$ledger/blobs"
if [ -e "$path" ]; then
  sha=$(sha256sum < "$path" | cut -d' ' -f1)
  blob=$ledger/blobs/$sha
  if [ ! -e "$blob" ]; then
    cp -p "$path" "$blob.new"
    copied=$(sha256sum < "$blob.new" | cut -d' ' -f1)
    if [ "$copied" != "$sha" ]; then echo "copy of $path differs from it" >&2; exit 70; fi
    sync "$blob.new"
    mv -T "$blob.new" "$blob"
  fi
  printf 'existed\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "$sha" "$(stat -c '%a %u:%g' "$path")" "$path" "$run" "$step" > "$tmp"
else
  printf 'absent\\t-\\t-\\t%s\\t%s\\t%s\\n' "$path" "$run" "$step" > "$tmp"
fi
sync "$tmp"
ln "$tmp" "$entry" || [ -e "$entry" ]
rm -f "$tmp"
sync -f "$ledger"`;

/**
 * `PATH MODE SHA256`, content on stdin: temporary file beside it, fsync, rename, `sync -f`. The \`~\` keeps initramfs-tools from
 * taking the temporary file for a script. GRUB doesn't replay the journal, so without \`sync -f\` it could still see the old file.
 */
export const WRITE_FILE = `set -eu
path=$1 mode=$2 want=$3
dir=\${path%/*}
mkdir -p "$dir"
tmp=$dir/.\${path##*/}.gp~
cat > "$tmp"
got=$(sha256sum < "$tmp" | cut -d' ' -f1)
if [ "$got" != "$want" ]; then rm -f "$tmp"; echo "wrote $got, wanted $want" >&2; exit 70; fi
chown 0:0 "$tmp"
chmod "$mode" "$tmp"
sync "$tmp"
mv -T "$tmp" "$path"
sync -f "$path"`;

/** `PATH`: removes a file durably. */
export const REMOVE_FILE = `set -eu
rm -f "$1"
dir=\${1%/*}
if [ -d "$dir" ]; then sync -f "$dir"; fi`;

/** `LEDGER KEY`: puts the original back, or removes what did not exist. Exit 44 when the ledger has no such entry. */
export const RESTORE_ORIGINAL = `set -eu
ledger=$1 key=$2
entry=$ledger/entries/$key
if [ ! -e "$entry" ]; then exit 44; fi
was=$(cut -f1 "$entry") sha=$(cut -f2 "$entry") stat=$(cut -f3 "$entry") path=$(cut -f4 "$entry")
dir=\${path%/*}
if [ "$was" = absent ]; then
  rm -f "$path"
  if [ -d "$dir" ]; then sync -f "$dir"; fi
  exit 0
fi
if [ -e "$path" ]; then
  now=$(sha256sum < "$path" | cut -d' ' -f1)
  if [ "$now $(stat -c '%a %u:%g' "$path")" = "$sha $stat" ]; then exit 0; fi
fi
mkdir -p "$dir"
tmp=$dir/.\${path##*/}.gp~
cp "$ledger/blobs/$sha" "$tmp"
got=$(sha256sum < "$tmp" | cut -d' ' -f1)
if [ "$got" != "$sha" ]; then rm -f "$tmp"; echo "the saved $path is damaged" >&2; exit 70; fi
chown "\${stat#* }" "$tmp"
chmod "\${stat% *}" "$tmp"
sync "$tmp"
mv -T "$tmp" "$path"
sync -f "$path"`;

/** `LEDGER`: one line per entry: was, sha256 then, stat then, path, run, step, sha256 now or -, stat now or -. */
export const LIST_LEDGER = `set -u
for entry in "$1"/entries/*; do
  if [ ! -f "$entry" ]; then continue; fi
  path=$(cut -f4 "$entry")
  sha=- stat=-
  if [ -e "$path" ]; then sha=$(sha256sum < "$path" | cut -d' ' -f1); stat=$(stat -c '%a %u:%g' "$path"); fi
  printf '%s\\t%s\\t%s\\n' "$(cat "$entry")" "$sha" "$stat"
done`;

/** `PATH…`: sha256 and path of each, \`-\` for what does not exist. */
export const HASH_FILES = `set -u
for path in "$@"; do
  sha=-
  if [ -e "$path" ]; then sha=$(sha256sum < "$path" | cut -d' ' -f1); fi
  printf '%s\\t%s\\n' "$sha" "$path"
done`;
