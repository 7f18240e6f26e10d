#!/usr/bin/env bash
# Build the Python package: one wheel for CPython 3.9 and later, in target/wheels. maturin comes from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly name=wheel venv=target/maturin-venv wheels=target/wheels

fail() {
    echo "$name: $*" >&2
    exit 2
}

source scripts/venv.sh
environment "$venv" python/maturin.txt
rm -rf "$wheels"
# Cargo's own folder: no build of the programs waits for this one, nor has its crates.
CARGO_TARGET_DIR=$PWD/target/python "$venv/bin/maturin" build --quiet --release --locked \
    --manifest-path python/Cargo.toml --out "$wheels"
echo "$name: $(echo "$wheels"/*.whl)"
