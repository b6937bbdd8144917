#!/bin/sh
# An incremental task: it takes what has come since the last time, and says how far it is.
#
# Run it: `examples/watermark.sh`. MILEPOST names the binary if it is not in the PATH. It keeps its store in a temporary
# directory.
set -eu
milepost() { command "${MILEPOST:-milepost}" "$@"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MILEPOST_STORE="$work/store"

# What grows: a log, here made of the names in /etc.
ls /etc >"$work/names"
head -n 10 "$work/names" >"$work/log"

load() {
    since=$(milepost watermark get asset/log line 2>/dev/null || echo 0)
    last=$(wc -l <"$work/log")
    if [ "$since" = "$last" ]; then
        echo "attempt $1: nothing new"
        return
    fi
    sed -n "$((since + 1)),${last}p" "$work/log" >>"$work/loaded"
    echo "attempt $1: lines $((since + 1)) to $last"
    milepost watermark advance asset/log line "$last" --task task/load --writer loader --attempt "$1" >/dev/null
}

load 1
sed -n '11,15p' "$work/names" >>"$work/log"
load 2
load 2
cmp "$work/log" "$work/loaded"

echo "an attempt that was thought dead comes too late:"
milepost watermark advance asset/log line 99 --task task/load --writer loader --attempt 1 || echo "(exit $?)"
echo "nor does it go back by accident:"
milepost watermark advance asset/log line 3 --task task/load --writer loader --attempt 2 || echo "(exit $?)"
echo "but on purpose:"
milepost watermark reset asset/log line 10 --reason 'the last lines are to be loaded again' >/dev/null

milepost watermark history asset/log line
[ "$(milepost watermark get asset/log line)" = 10 ]
