#!/usr/bin/env bash
# Others read what we write and play what we play: see tests/interop/README.md. The program under test is $OMIGA if
# set, else a release build.
set -euo pipefail
[[ -z ${OMIGA:-} ]] || OMIGA=$(realpath "$OMIGA")
cd "$(dirname "$0")/.."

readonly target=${CARGO_TARGET_DIR:-target}
readonly venv=target/interop-venv work=target/interop wanted=tests/interop/requirements.txt

fail() {
    echo "interop: $*" >&2
    exit 2
}

command -v python3 >/dev/null || fail "python3 is missing; install Python 3.11 or later"
if ! cmp -s "$wanted" "$venv/installed.txt"; then
    echo "interop: making $venv"
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 has no venv; install it (on Debian: apt-get install python3-venv)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: -r "$wanted"
    cp "$wanted" "$venv/installed.txt"
fi
readonly python=$venv/bin/python

if [[ -z ${OMIGA:-} ]]; then
    cargo build --release --quiet
    OMIGA=$target/release/omiga
fi
[[ -x $OMIGA ]] || fail "no program at $OMIGA; build it or set OMIGA to it"

rm -rf "$work"
mkdir -p "$work"
for task in spread spread-discrete; do
    data=$work/$task.hdf5 run=$work/$task bundle=$work/$task-bundle
    echo "== $task"
    "$OMIGA" collect --task "$task" --quality medium --episodes 20 --seed 0 --out "$data"
    "$OMIGA" train --data "$data" --out "$run" --set run.steps=50
    "$OMIGA" export --checkpoint "$run/last.safetensors" --out "$bundle"
    "$OMIGA" inspect "$data" --json >"$work/$task.json"
    "$python" tests/interop/check_dataset.py "$data" --card "$work/$task.json"
    "$python" tests/interop/check_policies.py "$bundle"
    "$python" tests/interop/check_env.py "$data"
done
echo "== a long dataset"
"$OMIGA" collect --task spread --quality random --episodes 3000 --seed 0 --out "$work/long.hdf5"
"$OMIGA" inspect "$work/long.hdf5" --json >"$work/long.json"
"$python" tests/interop/check_dataset.py "$work/long.hdf5" --card "$work/long.json"
echo "== robots"
"$python" tests/golden/gymnasium/generate.py --out "$work/gymnasium" --seed 7
# MuJoCo writes its warnings into a file where it is run.
(cd "$work" && "$OLDPWD/$python" ../../tests/golden/gymnasium_robotics/generate.py --out gymnasium_robotics --seed 7)
OMIGA_GYMNASIUM_DIR=$PWD/$work/gymnasium OMIGA_GYMNASIUM_ROBOTICS_DIR=$PWD/$work/gymnasium_robotics scripts/mujoco.sh replay
echo "interop: all checks passed"
