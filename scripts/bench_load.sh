#!/usr/bin/env bash
# Seconds and peak memory of loading a million transitions, ours beside h5py with the official loader's copies, and of a vault
# beside flashbax, and of importing a CSV or Parquet table beside pandas and pyarrow; the arguments go to benches/load/compare.py. The table is printed and written to target/bench/load.json;
# without arguments, which is all of the page, also into docs/benchmarks.md. Needs about 2 GB
# of disk and 4 GB of memory (theirs). OPPONENTS_VENV names a virtual environment with h5py and numpy.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly name=bench-load target=${CARGO_TARGET_DIR:-target}
venv=${OPPONENTS_VENV:-target/opponents-venv}

fail() {
    echo "$name: $*" >&2
    exit 2
}

source scripts/venv.sh
if ! "$venv/bin/python" -c 'import h5py, numpy' 2>/dev/null; then
    [[ -z ${OPPONENTS_VENV:-} ]] || fail "$venv has no h5py and numpy; unset OPPONENTS_VENV"
    # Of all that bench-train needs only this.
    venv=target/load-venv
    if ! "$venv/bin/python" -c 'import h5py, numpy' 2>/dev/null; then
        python3 -m venv "$venv" || fail "python3 has no venv; install it (on Debian: apt-get install python3-venv)"
        grep -E '^(h5py|numpy)==' benches/opponents/requirements.txt |
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: -r /dev/stdin
    fi
fi

environment target/flashbax-venv tests/interop/flashbax.txt
environment target/load-tables-venv benches/load/tables.txt

cargo build --release --quiet -p omiga-dataset --example load -p omiga-import --example import
"$venv/bin/python" benches/load/compare.py --load "$target/release/examples/load" --import "$target/release/examples/import" \
    --tables target/load-tables-venv/bin/python \
    --flashbax target/flashbax-venv/bin/python "$@"
if (($# == 0)); then
    "$venv/bin/python" benches/report.py load
fi
