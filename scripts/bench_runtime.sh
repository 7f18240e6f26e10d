#!/usr/bin/env bash
# Latency, allocations, load time and size of every engine, in one run; the arguments go to `omiga bench`.
# The table is printed and written to target/bench/runtime.json; without arguments also into docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."

PREFIX=$PWD/target/bench/prefix scripts/install.sh
cargo build --release --features bench
"${CARGO_TARGET_DIR:-target}/release/omiga" bench --load --out target/bench/runtime.json \
    --library native=target/bench/prefix/lib/libomiga.so --library "onnxruntime=$ORT_DYLIB_PATH" "$@"
if (($# == 0)); then
    python3 benches/report.py runtime
fi
