#!/usr/bin/env bash
# A hundred nodes at 100 Hz as processes on this machine, beside zenoh alone: how late their ticks come, and how long samples and
# commands are under way. The arguments go to crates/node/examples/fleet.rs. Printed and written to target/bench/node.json; without
# arguments, which is all of it, also into docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly target=${CARGO_TARGET_DIR:-target}
mkdir -p target/bench
read -ra node <scripts/node.txt
cargo build --quiet "${node[@]}" --example fleet
# Each process has a few files and sockets open, and so has the plant for each of them.
ulimit -n "$(ulimit -Hn)"
"$target/release/examples/fleet" --json target/bench/node.json "$@"
if (($# == 0)); then
    python3 benches/report.py node
fi
