#!/usr/bin/env bash
# Steps of the MuJoCo tasks per second, beside gymnasium's and the simulator's own; the arguments go to benches/env/compare.py.
# `battles` as the first: of battles, beside jaxmarl's, the others go to benches/env/battles.py; `flows`: power flows of a feeder, beside
# other solvers', to flows.py. Without arguments all three, and the time and memory of recording a million transitions. Printed and
# written to target/bench/env.json and collect.json; without arguments, or with `battles` or `flows` alone, also into docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly name=bench-env venv=target/env-venv jaxmarl=target/jaxmarl-venv target=${CARGO_TARGET_DIR:-target} mujoco=$PWD/.deps/mujoco
readonly steps=$target/release/examples/steps

fail() {
    echo "$name: $*" >&2
    exit 2
}

source scripts/venv.sh

battles() {
    environment "$jaxmarl" benches/env/jaxmarl.txt
    "$jaxmarl/bin/python" benches/env/battles.py --steps "$steps" "$@"
    if (($# == 0)); then
        "$jaxmarl/bin/python" benches/report.py battles
    fi
}

flows() {
    environment "$venv" benches/env/requirements.txt
    "$venv/bin/python" benches/env/flows.py --flows "$target/release/examples/flows" "$@"
    if (($# == 0)); then
        "$venv/bin/python" benches/report.py flows
    fi
}

cargo build --release --quiet --example steps --example flows -p omiga-env
if [[ ${1:-} == battles || ${1:-} == flows ]]; then
    "$1" "${@:2}"
    exit
fi
environment "$venv" benches/env/requirements.txt
scripts/mujoco.sh
# What is linked with it looks for the library by its version.
ln -sf libmujoco.so "$mujoco/lib/$(readelf -d "$mujoco/lib/libmujoco.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')"
mkdir -p "$target/bench"
cc -O2 -I "$mujoco/include" -L "$mujoco/lib" -Wl,-rpath,"$mujoco/lib" benches/env/physics.c -lmujoco -o "$target/bench/physics"
"$venv/bin/python" benches/env/compare.py --steps "$steps" --physics "$target/bench/physics" "$@"
if (($# == 0)); then
    cargo build --release
    "$venv/bin/python" benches/env/collect.py --omiga "$target/release/omiga"
    "$venv/bin/python" benches/report.py env
    "$venv/bin/python" benches/report.py collect
    battles
    flows
fi
