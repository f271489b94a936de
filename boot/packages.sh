#!/bin/sh
# Installs what is missing on Debian and its relatives; elsewhere says what is missing.
# Usage: packages.sh build|test|gdb|bench|lean
set -eu

# For each package of Debian: the goal that needs it (the others need build's too), a command or file, or something to look for, that shows
# that it is there, its name.
needs='
build qemu-system-x86_64 qemu-system-x86
build firmware ovmf
build gcc gcc
build ld binutils
build /usr/include/elf.h libc6-dev
build /usr/include/efi/efi.h gnu-efi
build x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64-win32
build x86_64-w64-mingw32-ld binutils-mingw-w64-x86-64
build /usr/x86_64-w64-mingw32/include/windows.h mingw-w64-x86-64-dev
build mcopy mtools
build mkfs.fat dosfstools
build /usr/bin/python3 python3
test python:pytest python3-pytest
test python:pytest_timeout.py python3-pytest-timeout
test python:xdist python3-pytest-xdist
test /usr/x86_64-w64-mingw32/lib/zlib1.dll libz-mingw-w64
test /usr/x86_64-w64-mingw32/include/zlib.h libz-mingw-w64-dev
test nbdkit nbdkit
test clang clang
test fuzzer libclang-rt-dev
gdb gdb gdb
bench mkfs.ext4 e2fsprogs
lean bc bc
lean flex flex
lean bison bison
lean /usr/include/libelf.h libelf-dev
lean xz xz-utils
'
qemu_needed=7
goal=$1
export PATH="$PATH:/usr/sbin:/sbin"

firmware_is_present() {
	while read -r file _; do
		case $file in
		/*) [ ! -e "$file" ] || return 0 ;;
		esac
	done <"$(dirname "$0")/firmware.list"
	return 1
}

is_present() {
	case $1 in
	firmware) firmware_is_present ;;
	python:*)
		# As files: to start Python would take longer than all the rest.
		for place in /usr/lib/python3/dist-packages /usr/lib/python3*/site-packages; do
			[ ! -e "$place/${1#python:}" ] || return 0
		done
		return 1
		;;
	fuzzer) ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a /usr/lib/clang/*/lib/*/libclang_rt.fuzzer*.a 2>/dev/null |
		grep -q . ;;
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

missing_find() {
	missing=
	while read -r for_goal proof package; do
		case $for_goal in
		build | "$goal") is_present "$proof" || missing="$missing $package" ;;
		esac
	done <<END
$needs
END
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

install() {
	# A machine that has just been made has no lists of packages yet, or old ones.
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing ||
		{ as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -q --no-install-recommends $missing; }
}

missing_find
if [ -n "$missing" ]; then
	command="apt-get install --no-install-recommends$missing"
	if ! command -v apt-get >/dev/null; then
		echo "These are missing (by their names in Debian):$missing" >&2
		exit 1
	fi
	if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
		echo "Packages are missing. Please type:" >&2
		echo "  sudo $command" >&2
		exit 1
	fi
	echo "Installing what is missing:$missing" >&2
	install >&2
	missing_find
	if [ -n "$missing" ]; then
		echo "Still missing after \"$command\":$missing" >&2
		exit 1
	fi
fi

version=$(qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
if [ "${version%%.*}" -lt "$qemu_needed" ]; then
	echo "QEMU $version is too old: $qemu_needed.0 or newer is needed." >&2
	exit 1
fi
