#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds fio twice from one source tree: static for the guest (GUEST/fio), dynamic with exported symbols
# for the host (FOLDER/fio), so that an engine built against FOLDER/src loads there. FIO_SRC names a tree.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ $# != 2 ]; then
	echo "usage: [FIO_SRC=DIR] $0 FOLDER GUEST" >&2
	exit 2
fi
mkdir -p "$1" "$2"
dir=$(cd "$1" && pwd)
guest=$(cd "$2" && pwd)
jobs=$(nproc)
log=$dir/build.log

if [ -n "${FIO_SRC-}" ]; then
	if [ ! -x "$FIO_SRC/configure" ] || [ ! -f "$FIO_SRC/fio.c" ]; then
		echo "vbench: FIO_SRC=$FIO_SRC is not a source tree of fio (no configure, no fio.c in it)" >&2
		exit 1
	fi
	rm -rf "$dir/src"
	cp -a "$FIO_SRC" "$dir/src"
elif [ ! -x "$dir/src/configure" ] || [ -e "$dir/foreign" ]; then
	rm -f "$dir/foreign"
	"$here/fetch-fio.sh" "$dir"
fi
[ -z "${FIO_SRC-}" ] || : >"$dir/foreign"

# No storage clusters, no transports, no tuning to the build machine: small, and the same everywhere.
lean="--disable-native --disable-rados --disable-rbd --disable-http --disable-gfapi --disable-libnfs
	--disable-rdma --disable-numa --disable-pmem
	--disable-libzbc --disable-tcmalloc --disable-xnvme --disable-libblkio --disable-isal --disable-dfs"
# configure writes a log where it stands, for --help too
help=$(cd "$dir/src" && ./configure --help 2>/dev/null || true)
options=
for o in $lean; do
	case $help in
	*"$o"*) options="$options $o" ;;
	esac
done

build() { # static|dynamic TARGET
	(
		cd "$dir/src"
		make clean || true
		if [ "$1" = static ]; then
			# shellcheck disable=SC2086
			./configure $options --build-static
			make -j"$jobs" fio
		else
			# shellcheck disable=SC2086
			./configure $options
			make -j"$jobs" LDFLAGS="-rdynamic" fio
		fi
		strip -o "$2.new" fio
		mv "$2.new" "$2"
	) >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		echo "vbench: fio ($1) did not build; the whole output is in $log" >&2
		exit 1
	}
}

build static "$guest/fio"
# Last, so that the headers and config-host.h that stay in src are those of the host's fio.
build dynamic "$dir/fio"

for f in "$guest/fio" "$dir/fio"; do
	if ! "$f" --enghelp 2>/dev/null | grep -qw libaio || ! "$f" --enghelp | grep -qw io_uring; then
		echo "vbench: $f was built without libaio or io_uring; is libaio-dev installed?" >&2
		exit 1
	fi
done
"$dir/fio" --version >"$dir/VERSION.new"
mv "$dir/VERSION.new" "$dir/VERSION"
