#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs a harness of tests: `prove.sh prove --timer -- TEST... [-- TEST...]`. The lists run beside each other, the first one is
# shown as it goes, the others behind it. When something fails, it says at the end once more with which words each file began to
# fail, those of a subtest too: whoever reads a log from its end finds the cause there, not a thousand lines above.
# Each list needs a test: a harness that ran none has found nothing, which is not the same as that there is nothing.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM HUP

command=() lists=0
for word; do
	if [ "$word" = -- ]; then
		lists=$((lists + 1))
	elif [ "$lists" = 0 ]; then
		command+=("$word")
	else
		printf '%s\n' "$word" >>"$dir/list.$lists"
	fi
done

for ((i = 1; i <= lists || i == 1; i++)); do
	[ -s "$dir/list.$i" ] || { echo "$0: no tests in list $i: prove.sh COMMAND... -- TEST... [-- TEST...]" >&2; exit 2; }
done

one() { # the tests of a list, into its log
	mapfile -t tests <"$dir/list.$1"
	"${command[@]}" "${tests[@]}" 2>&1
	echo $? >"$dir/rc.$1"
}

for ((i = 2; i <= lists; i++)); do
	one $i >"$dir/log.$i" &
done
one 1 | tee "$dir/log.1"
wait
worst=0
for ((i = 1; i <= lists; i++)); do
	[ $i = 1 ] || cat "$dir/log.$i"
	rc=$(cat "$dir/rc.$i" 2>/dev/null || echo 1)
	[ "$rc" = 0 ] || worst=$rc
done
[ "$worst" = 0 ] && exit 0
cat "$dir"/log.* | awk '
	/^ *#/ { if (n < 24) said[n++] = substr($0, 1, 400); next }
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
	}'
exit "$worst"
