#!/bin/sh
# A script of three steps that fails in the second: run again, it goes on there, and the first one does not run again.
#
# Run it: `examples/step.sh`. MILEPOST names the binary if it is not in the PATH. It keeps its store in a temporary
# directory.
set -eu
milepost() { command "${MILEPOST:-milepost}" "$@"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MILEPOST_STORE="$work/store" MILEPOST_SCOPE=task/nightly work

# shellcheck disable=SC2016  # $work is for the inner shell.
nightly() {
    milepost step list -- sh -c 'echo "listing /etc" >&2; ls /etc >"$work/list"' &&
        milepost step count -- sh -c 'echo "counting" >&2; test -e "$work/repaired" && grep -c . "$work/list"' &&
        milepost step report -- sh -c 'echo "reporting" >&2; date; head -n 3 "$work/list"'
}

echo "1. the second step fails"
if nightly; then exit 1; fi

echo "2. repaired, and run again: the list is there"
touch "$work/repaired"
nightly

echo "3. run a third time, it only says again what it said"
nightly 2>"$work/errors"
[ ! -s "$work/errors" ]

echo "what it has in the store:"
milepost scan task/nightly
