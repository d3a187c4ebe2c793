#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages of the kinds named (run, build, check) that are missing; quick when none is.
# With --check it only says which are missing, and exits with 1 if there are any.
set -eu

here=$(dirname "$0")
check=no
if [ "${1-}" = --check ]; then
	check=yes
	shift
fi
if [ $# = 0 ]; then
	echo "usage: $0 [--check] KIND..." >&2
	exit 2
fi
if ! command -v dpkg-query >/dev/null; then
	echo "vbench: this is not a Debian system; install what tools/packages lists by hand" >&2
	[ "$check" = yes ] && exit 1
	exit 0
fi

arch=$(dpkg --print-architecture)
wanted=$(awk -v kinds=" $* " -v arch="$arch" '
	/^#/ || NF < 2 || !index(kinds, " " $1 " ") { next }
	NF == 2 { print $2; next }
	{ for (i = 3; i <= NF; i++) if ($i == arch) print $2 }' "$here/packages" | sort -u)
# An installed package that Provides the name counts too.
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n${Provides:-}\n' 2>/dev/null |
	awk '$1 == "installed" { print $2; ok = 1; next }
	     $1 ~ /^(not-installed|config-files|half-|unpacked|triggers-)/ { ok = 0; next }
	     ok { gsub(/\([^)]*\)/, ""); gsub(/,/, " "); for (i = 1; i <= NF; i++) print $i }' |
	sort -u)
missing=
for p in $wanted; do
	printf '%s\n' "$installed" | grep -Fqx "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$check" = yes ]; then
	echo "vbench: packages missing:$missing"
	echo "        install them with: make deps"
	exit 1
fi

sudo=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "vbench: packages missing:$missing" >&2
		echo "        there is no sudo here; as root: apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
	sudo=sudo
fi
echo "vbench: installing packages:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of names
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
