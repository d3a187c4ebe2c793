#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The gate as a step of any CI: QEMU=PATH of the build under test, LABEL its name, PROFILE what to measure.
# Keep the job on one host (a baseline holds for its host), and $XDG_DATA_HOME between jobs (reference, records).
# Artefacts: gate.tap, gate.xml (JUnit). The job's status is the gate's: a re-run of a red job joins its record.
set -u

profile=${PROFILE:-nightly}
vbench=${VBENCH:-vbench}
set -- --wait --junit gate.xml
[ -n "${LABEL:-}" ] && set -- "$@" --label "$LABEL"
[ -n "${QEMU:-}" ] && set -- "$@" --set "guest.qemu=$QEMU"

"$vbench" gate "$@" "$profile" >gate.tap
status=$?
cat gate.tap
case $status in
0) echo "gate: green" >&2 ;;
1) echo "gate: a series is worse, confirmed on fresh blocks, or has drifted away from its anchor" >&2 ;;
2) echo "gate: bad input, or no reference build yet: $vbench gate accept $profile --why TEXT" >&2 ;;
3) echo "gate: blind, see the remedies in gate.tap" >&2 ;;
4) echo "gate: not measured, or something beside the build changed: see gate.tap" >&2 ;;
esac
exit $status
