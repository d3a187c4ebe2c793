#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints the flags of the libraries for make, or says which are missing.
set -eu

libs="ini_config jansson hwloc libarchive libkmod liburing sqlite3 libmd uuid blkid libxml-2.0"
case $(${CC:-cc} -dumpmachine 2>/dev/null) in
x86_64*) libs="$libs libcpuid" ;;
esac

if ! command -v pkg-config >/dev/null; then
	echo "vbench: pkg-config is missing; install what the build needs with: make deps" >&2
	exit 1
fi
missing=
for l in $libs; do
	pkg-config --exists "$l" || missing="$missing $l"
done
if [ -n "$missing" ]; then
	echo "vbench: libraries missing:$missing; install them with: make deps" >&2
	exit 1
fi
# shellcheck disable=SC2086
{
	echo "PKG_CFLAGS := $(pkg-config --cflags $libs)"
	echo "PKG_LIBS := $(pkg-config --libs $libs)"
}
