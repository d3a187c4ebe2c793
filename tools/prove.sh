#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs a harness of tests (prove and its arguments) and, when something fails, says at the end once more with which words
# each file began to fail: whoever reads a log from its end finds the cause there, not a thousand lines above.
log=$(mktemp) || exit 1
trap 'rm -f "$log" "$log.rc"' EXIT
trap 'exit 130' INT TERM HUP
{ "$@" 2>&1; echo $? >"$log.rc"; } | tee "$log"
rc=$(cat "$log.rc" 2>/dev/null || echo 1)
[ "$rc" = 0 ] && exit 0
awk '
	/^#/ { if (n < 16) said[n++] = substr($0, 1, 400); next }
	/^(\[[0-9:]+\] )?[^ ]+ \.\.+/ {
		name = $0
		sub(/^\[[0-9:]+\] /, "", name)
		sub(/ \.\..*/, "", name)
		if ($0 !~ /\.\. (ok|skipped)/ && n) {
			printf "\n--- %s failed first with:\n", name
			for (i = 0; i < n; i++)
				print said[i]
		}
		n = 0
	}' "$log"
exit "$rc"
