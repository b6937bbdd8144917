#!/bin/sh
# Looking on while a job runs: how far it is, how fast, and how long it takes; and what has failed.
#
# Run it: `examples/progress.sh`. MILEPOST names the binary if it is not in the PATH. It keeps its store in a temporary
# directory.
set -eu
milepost() { command "${MILEPOST:-milepost}" "$@"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MILEPOST_STORE="$work/store"

find /usr/share/doc -type f | head -n 200 >"$work/items"
echo /no/such/file >>"$work/items"
all=$(wc -l <"$work/items")

# shellcheck disable=SC2016  # $1 is for the inner shell.
milepost each --job words -j2 --input "$work/items" -- sh -c 'sleep 0.02; wc -w <"$1"' sh {} 2>"$work/said" &
until milepost progress 2>/dev/null | grep -q items || ! kill -0 $! 2>/dev/null; do
    :
done

echo "live, from another process, until nothing is left:"
milepost progress --watch
wait $! || echo "(each: exit $?)"

echo "what each says of it:"
cat "$work/said"
echo "what failed:"
milepost results --job words --failed
milepost progress -o jsonl | grep -q "\"total\":$all,\"done\":$((all - 1)),\"failed\":1,"
