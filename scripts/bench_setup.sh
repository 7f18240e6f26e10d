#!/usr/bin/env bash
# What a new user waits for: a fresh clone of COMMIT (default: HEAD), `make train`, `make test`, and both again after one line of the
# trainer was touched. Seconds of wall time and of the processor, and the size of the target folder after each. What is fetched from
# registries may lie in ~/.cargo already; compare two commits on one quiet machine, one after the other:
#
#   scripts/bench_setup.sh b878cbf && scripts/bench_setup.sh
set -euo pipefail
cd "$(dirname "$0")/.."

commit=$(git rev-parse --short "${1:-HEAD}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git clone --quiet . "$folder/omiga"
cd "$folder/omiga"
git checkout --quiet "$commit"
unset CARGO_TARGET_DIR ORT_DYLIB_PATH

printf '%-10s %-24s %8s %8s %8s\n' commit step 'wall s' 'CPU s' 'MB'
measure() {
    local name=$1
    shift
    { TIMEFORMAT='%R %U %S' && time "$@" >"$folder/log" 2>&1; } 2>"$folder/time" || { tail -20 "$folder/log" >&2 && exit 1; }
    awk -v commit="$commit" -v name="$name" -v size="$(du -sm target | cut -f1)" \
        '{printf "%-10s %-24s %8.0f %8.0f %8d\n", commit, name, $1, $2 + $3, size}' "$folder/time"
}
measure 'make train' make train
measure 'make test' make test
echo >>crates/train/src/lib.rs
measure 'make train, touched' make train
measure 'make test, touched' make test
