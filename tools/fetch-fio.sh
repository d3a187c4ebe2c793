#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetches Debian's source package of fio into FOLDER/src, without touching the machine's own apt set-up
# and without root: its sources are read as deb-src in a private configuration below FOLDER.
set -eu

here=$(dirname "$0")
if [ $# != 1 ]; then
	echo "usage: $0 FOLDER" >&2
	exit 2
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)
remedy="add network access or a Debian mirror, or give a source tree of fio: make FIO_SRC=DIR"

eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d 2>/dev/null)" || {
	echo "vbench: fio's source cannot be had: there is no apt here; $remedy" >&2
	exit 1
}
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/apt/parts"
perl "$here/debsrc.pl" "${list:-}" "${parts:-/nonexistent}"/*.sources "${parts:-/nonexistent}"/*.list \
	>"$dir/apt/parts/debian.sources"
if [ ! -s "$dir/apt/parts/debian.sources" ]; then
	echo "vbench: fio's source cannot be had: apt knows no Debian archive on this machine; $remedy" >&2
	exit 1
fi

get() {
	apt-get -q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$dir/apt/parts" \
		-o "Dir::State::lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache" \
		-o "APT::Sandbox::User=$(id -un)" -o "APT::Get::List-Cleanup=0" -o "Debug::NoLocking=1" \
		-o "Acquire::Retries=2" "$@"
}

# The version of the binary package, where the machine knows it; else the newest.
version=$(apt-cache policy fio 2>/dev/null | awk '/Installed:|Candidate:/ && $2 != "(none)" { print $2; exit }')
# A binary-only rebuild (+b1) has the source of what it rebuilds.
version=${version%+b[0-9]*}

log=$dir/apt/log
if ! get update >"$log" 2>&1; then
	echo "vbench: fio's source cannot be had: apt-get update failed ($(tail -n 1 "$log")); $remedy" >&2
	exit 1
fi
cd "$dir"
rm -rf src fio_*
if ! { [ -n "$version" ] && get source --download-only "fio=$version" >>"$log" 2>&1; } &&
	! get source --download-only fio >>"$log" 2>&1; then
	echo "vbench: fio's source cannot be had: no archive offers it ($(tail -n 1 "$log")); $remedy" >&2
	exit 1
fi
# apt has checked the hashes up to the archive's signature; dpkg-source would want the maintainer's key.
dpkg-source --no-check -x fio_*.dsc src >>"$log" 2>&1 || {
	echo "vbench: fio's source cannot be unpacked; see $log" >&2
	exit 1
}
