#!/usr/bin/env bash
# What a training costs in a sweep beside `omiga train`, in turns: benches/sweep.py, which the arguments go to. Written to
# target/bench/sweep.json; without arguments, which is all of it, also into docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."

source scripts/program.sh
build_program spread cpu
mkdir -p target/bench
python3 benches/sweep.py --program "$omiga" --json target/bench/sweep.json "$@"
if (($# == 0)); then
    python3 benches/report.py sweep
fi
