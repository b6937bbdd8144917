#!/bin/sh
# Checksums of files, killed in the middle and started again: what is done is not done again.
#
# Run it: `examples/each.sh`, or with a directory: `examples/each.sh /etc`. MILEPOST names the binary if it is not in
# the PATH. It keeps its store in a temporary directory.
set -eu
milepost() { command "${MILEPOST:-milepost}" "$@"; }

files=${1:-/usr/share/doc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MILEPOST_STORE="$work/store"

find "$files" -type f | head -n 1000 >"$work/items"
all=$(wc -l <"$work/items")
set -- each --job checksum -j2 --input "$work/items" -- sha256sum {}

echo "1. $all files; killed after 50 of them"
"${MILEPOST:-milepost}" "$@" &
until [ "$(milepost -o jsonl results --job checksum 2>/dev/null | wc -l)" -ge 50 ] || ! kill -0 $! 2>/dev/null; do
    :
done
kill -KILL $! 2>/dev/null || true
wait $! 2>/dev/null || true

echo "2. the same command goes on with what is left"
milepost "$@"

echo "3. and again: nothing is left"
milepost "$@"

done=$(milepost -o jsonl results --job checksum | wc -l)
echo "the store has the checksums of $done files, as of:"
milepost results --job checksum -- "$(head -n 1 "$work/items")"
[ "$done" = "$all" ]
