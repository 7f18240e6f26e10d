#!/usr/bin/env bash
# Milliseconds per update of `omiga train` and of the same update in PyTorch and JAX, alternating; the arguments go to
# benches/opponents/compare.py. The table is printed and written to target/bench/train.json. The program under test is
# $OMIGA if set, else a release build. OPPONENTS_VENV names another virtual environment.
set -euo pipefail
[[ -z ${OMIGA:-} ]] || OMIGA=$(realpath "$OMIGA")
cd "$(dirname "$0")/.."

readonly target=${CARGO_TARGET_DIR:-target}
readonly venv=${OPPONENTS_VENV:-target/opponents-venv} wanted=benches/opponents/requirements.txt

fail() {
    echo "bench-train: $*" >&2
    exit 2
}

command -v python3 >/dev/null || fail "python3 is missing; install Python 3.11 or later"
if ! cmp -s "$wanted" "$venv/installed.txt"; then
    [[ -z ${OPPONENTS_VENV:-} ]] || fail "$venv holds other packages than $wanted; unset OPPONENTS_VENV"
    echo "bench-train: making $venv (some GB: PyPI's torch brings CUDA's libraries)"
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 has no venv; install it (on Debian: apt-get install python3-venv)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: -r "$wanted"
    cp "$wanted" "$venv/installed.txt"
fi

if [[ -z ${OMIGA:-} ]]; then
    cargo build --release --quiet
    OMIGA=$target/release/omiga
fi
[[ -x $OMIGA ]] || fail "no program at $OMIGA; build it or set OMIGA to it"

"$venv/bin/python" benches/opponents/check.py --impl torch --impl torch-compile --impl jax
"$venv/bin/python" benches/opponents/compare.py --omiga "$OMIGA" --out target/bench/train.json "$@"
