#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Writes TEXT to FILE only when it differs, so that make sees a change of flags or of a list of files.
set -eu

[ -e "$1" ] && [ "$(cat "$1" 2>/dev/null || true)" = "$2" ] && exit 0
mkdir -p "$(dirname "$1")"
printf '%s\n' "$2" >"$1"
