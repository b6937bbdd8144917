#!/bin/sh
# A job that runs elsewhere, here in the background: whoever waits for it dies, and the next one finds it. It was
# started once.
#
# Run it: `examples/job.sh`. MILEPOST names the binary if it is not in the PATH. It keeps its store in a temporary
# directory.
set -eu
milepost() { command "${MILEPOST:-milepost}" "$@"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MILEPOST_STORE="$work/store" work

# The job counts the lines of /etc/passwd, and takes its time. It is known by its token.
cat >"$work/submit" <<'END'
echo "$MILEPOST_TOKEN" >>"$work/submitted"
(sleep 1; wc -l </etc/passwd >"$work/result.part"; mv "$work/result.part" "$work/result") >/dev/null 2>&1 &
echo "$MILEPOST_TOKEN"
END

# shellcheck disable=SC2016  # The variables are for the commands.
run() {
    milepost job run count --submit 'sh "$work/submit"' \
        --find 'grep -Fx "$MILEPOST_TOKEN" "$work/submitted" 2>/dev/null || true' \
        --poll 'if [ -e "$work/result" ]; then echo finished $(cat "$work/result"); else echo pending RUNNING; fi' \
        --every 100ms "$@"
}

echo "1. who waits gives up after 300 ms"
run --timeout 300ms || echo "(exit $?)"
milepost job get count

echo "2. who comes next finds the job, and waits for its end"
result=$(run)
echo "$result lines"

echo "3. and it is known ever after"
[ "$(run)" = "$result" ]
milepost job get count -o jsonl
[ "$(wc -l <"$work/submitted")" = 1 ]
