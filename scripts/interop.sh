#!/usr/bin/env bash
# Others read what we write and play what we play: see tests/interop/README.md. The program under test is $OMIGA if
# set, else a release build.
set -euo pipefail
[[ -z ${OMIGA:-} ]] || OMIGA=$(realpath "$OMIGA")
cd "$(dirname "$0")/.."

readonly name=interop venv=target/interop-venv work=target/interop wanted=tests/interop/requirements.txt
# What jaxmarl asks for does not go with the others.
readonly jaxmarl=target/jaxmarl-venv

fail() {
    echo "$name: $*" >&2
    exit 2
}

source scripts/venv.sh
environment "$venv" "$wanted"
environment "$jaxmarl" benches/env/jaxmarl.txt
readonly python=$venv/bin/python
# Vaults are flashbax's, which asks for JAX.
readonly flashbax=target/flashbax-venv
environment "$flashbax" tests/interop/flashbax.txt

# The last one has agents with observations of different widths.
tasks=(spread spread-discrete hopper-3x1-local)
source scripts/program.sh
build_program "${tasks[*]}" cpu
[[ -x $omiga ]] || fail "no program at $omiga; build it or set OMIGA to it"

rm -rf "$work"
mkdir -p "$work"
for task in "${tasks[@]}"; do
    data=$work/$task.hdf5 run=$work/$task bundle=$work/$task-bundle
    echo "== $task"
    "$omiga" collect --task "$task" --quality medium --episodes 20 --seed 0 --out "$data"
    "$omiga" train --data "$data" --out "$run" --set run.steps=50
    "$omiga" export --checkpoint "$run/last.safetensors" --out "$bundle"
    "$omiga" inspect "$data" --json >"$work/$task.json"
    "$python" tests/interop/check_dataset.py "$data" --card "$work/$task.json"
    "$python" tests/interop/check_policies.py "$bundle"
    "$omiga" convert "$data" --out "$work/$task.vlt"
    "$flashbax/bin/python" tests/interop/check_vault.py "$data" "$work/$task.vlt"
    [[ $task != spread* ]] || "$python" tests/interop/check_env.py "$data"
done
echo "== a long dataset"
"$omiga" collect --task spread --quality random --episodes 3000 --seed 0 --out "$work/long.hdf5"
"$omiga" inspect "$work/long.hdf5" --json >"$work/long.json"
"$python" tests/interop/check_dataset.py "$work/long.hdf5" --card "$work/long.json"
echo "== a vault of a battle"
"$omiga" collect --task smax-3m --quality medium --episodes 20 --seed 0 --out "$work/battle.hdf5"
"$omiga" convert "$work/battle.hdf5" --out "$work/battle.vlt"
"$flashbax/bin/python" tests/interop/check_vault.py "$work/battle.hdf5" "$work/battle.vlt"
echo "== tracking"
"$python" tests/interop/check_tracking.py "$work/spread" --work "$work/tracking"
echo "== the Python package"
scripts/wheel.sh
"$python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/wheels/*.whl
OMIGA=$omiga "$python" -m pytest -q -p no:cacheprovider python/tests
"$python" -m mypy.stubtest omiga._omiga
"$python" -m mypy --config-file python/pyproject.toml --cache-dir target/mypy -p omiga
echo "== robots"
"$python" tests/golden/gymnasium/generate.py --out "$work/gymnasium" --seed 7
# MuJoCo writes its warnings into a file where it is run.
(cd "$work" && "$OLDPWD/$python" ../../tests/golden/gymnasium_robotics/generate.py --out gymnasium_robotics --seed 7)
OMIGA_GYMNASIUM_DIR=$PWD/$work/gymnasium OMIGA_GYMNASIUM_ROBOTICS_DIR=$PWD/$work/gymnasium_robotics \
    cargo test --release -p omiga-env --test gymnasium --test gymnasium_robotics
echo "== battles"
# Most of the time is JAX's compilation, a minute or two a map: OMIGA_MAPS="3m 2s3z" for some.
read -ra maps <<<"${OMIGA_MAPS:-}"
JAX_PLATFORMS=cpu JAX_COMPILATION_CACHE_DIR=$PWD/target/jax-cache \
    "$jaxmarl/bin/python" tests/golden/smax/generate.py --out "$work/smax" --seed 7 "${maps[@]/#/--map=}"
OMIGA_SMAX_DIR=$PWD/$work/smax cargo test --release -p omiga-env --lib smax -- --nocapture
echo "== power flows"
"$python" tests/golden/pandapower/generate.py --out "$work/pandapower" --seed 7 --cases 100
OMIGA_GRID_DIR=$PWD/$work/pandapower cargo test --release -p omiga-env --test pandapower -- --nocapture
echo "== statistics"
"$python" tests/golden/rliable/generate.py --out "$work/scores.json" --seed 7
OMIGA_RLIABLE_SCORES=$PWD/$work/scores.json cargo test --release -p omiga-env --lib statistics::scores
"$python" tests/golden/comparisons/generate.py --out "$work/comparisons.json" --seed 7
OMIGA_COMPARISONS=$PWD/$work/comparisons.json cargo test --release -p omiga-env --lib statistics::welch
echo "interop: all checks passed"
