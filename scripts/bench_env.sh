#!/usr/bin/env bash
# Steps of the MuJoCo tasks per second, beside gymnasium's and the simulator's own; the arguments go to benches/env/compare.py.
# Without arguments also the time and memory of recording a million transitions. Printed and written to target/bench/env.json
# and collect.json; without arguments also into docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly venv=target/env-venv wanted=benches/env/requirements.txt

fail() {
    echo "bench-env: $*" >&2
    exit 2
}

command -v python3 >/dev/null || fail "python3 is missing; install Python 3.11 or later"
if ! cmp -s "$wanted" "$venv/installed.txt"; then
    echo "bench-env: making $venv"
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 has no venv; install it (on Debian: apt-get install python3-venv)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: -r "$wanted"
    cp "$wanted" "$venv/installed.txt"
fi

scripts/mujoco.sh
readonly target=${CARGO_TARGET_DIR:-target} mujoco=$PWD/.deps/mujoco
cargo build --release --quiet --example steps -p omiga-env
# What is linked with it looks for the library by its version.
ln -sf libmujoco.so "$mujoco/lib/$(readelf -d "$mujoco/lib/libmujoco.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')"
mkdir -p "$target/bench"
cc -O2 -I "$mujoco/include" -L "$mujoco/lib" -Wl,-rpath,"$mujoco/lib" benches/env/physics.c -lmujoco -o "$target/bench/physics"
"$venv/bin/python" benches/env/compare.py --steps "$target/release/examples/steps" --physics "$target/bench/physics" "$@"
if (($# == 0)); then
    cargo build --release
    "$venv/bin/python" benches/env/collect.py --omiga "$target/release/omiga"
    "$venv/bin/python" benches/report.py env
    "$venv/bin/python" benches/report.py collect
fi
