#!/bin/sh
# Makes the system volume: a raw FAT32 image without partitions, which UEFI boots from.
# Usage: volume.sh IMAGE ROOT PATH... [-- FILE...]
# The PATHs lie in the directory ROOT and keep their places below it. The FILEs, also directories, go to the volume's
# root.
set -eu

# 4 KiB clusters: a page of an image is one cluster. FAT32 begins at 65,525 of them. The file is sparse.
base_mib=320

image=$1
root=$2
shift 2
export MTOOLS_SKIP_CHECK=1

paths=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	paths="$paths ${1#"$root"/}"
	shift
done
[ $# -eq 0 ] || shift

extra_kib=0
for file in "$@"; do
	if [ ! -r "$file" ]; then
		echo "FILES: $file does not exist or can't be read" >&2
		exit 1
	fi
	extra_kib=$((extra_kib + $(du -skL --apparent-size "$file" | cut -f1) + 4 * $(find -L "$file" | wc -l)))
done

new=$image.new
rm -f "$new"
trap 'rm -f "$new"' EXIT
truncate -s $((base_mib + extra_kib / 1000))M "$new"
mkfs.fat -F 32 -S 512 -s 8 -n BACKSTORE -i 4261636b "$new" >/dev/null

cd_root() { (cd "$root" && "$@"); }
target=$(realpath "$new")
for directory in $(for path in $paths; do dirname "$path"; done | sort -u); do
	made=
	for part in $(echo "$directory" | tr / ' '); do
		[ "$part" != . ] || continue
		made=$made/$part
		mdir -i "$target" "::$made" >/dev/null 2>&1 || mmd -i "$target" "::$made"
	done
	cd_root mcopy -m -i "$target" $(for path in $paths; do
		[ "$(dirname "$path")" != "$directory" ] || echo "$path"
	done) "::$made/"
done
mdir -i "$target" ::temp >/dev/null 2>&1 || mmd -i "$target" ::temp
for file in "$@"; do
	mcopy -s -m -o -i "$target" "$file" ::/
done

fsck.fat -n "$new" >/dev/null || { fsck.fat -n "$new" >&2; exit 1; }
mv "$new" "$image"
