#!/usr/bin/env bash
# Milliseconds per update of `omiga train` and of the same update in PyTorch and JAX, in turns; the arguments go to
# benches/opponents/compare.py. Printed and written to target/bench/train.json; without arguments, which is all tasks,
# also into docs/benchmarks.md. DEVICE=cuda:0 measures on a GPU instead (target/bench/train-cuda.json). The program
# under test is $OMIGA if set, else a release build, for a GPU what `make cuda` built. OPPONENTS_VENV names another
# virtual environment.
set -euo pipefail
[[ -z ${OMIGA:-} ]] || OMIGA=$(realpath "$OMIGA")
cd "$(dirname "$0")/.."

readonly device=${DEVICE:-cpu} target=${CARGO_TARGET_DIR:-target}
requirements=(benches/opponents/requirements.txt)
venv=target/opponents-venv

fail() {
    echo "bench-train: $*" >&2
    exit 2
}

case $device in
    cpu) section=train-cpu ;;
    cuda:*)
        section=train-cuda venv=target/opponents-venv-cuda
        requirements+=(benches/opponents/requirements-cuda.txt)
        OMIGA=${OMIGA:-$(realpath -m "$target/cuda/release/omiga")}
        [[ -x $OMIGA ]] || fail "no program for $device at $OMIGA; run \`make cuda\`, or set OMIGA to one that was built with the feature cuda"
        ;;
    *) fail "DEVICE is cpu or cuda:N, not $device" ;;
esac
venv=${OPPONENTS_VENV:-$venv}

command -v python3 >/dev/null || fail "python3 is missing; install Python 3.11 or later"
if ! cat "${requirements[@]}" | cmp -s - "$venv/installed.txt"; then
    [[ -z ${OPPONENTS_VENV:-} ]] || fail "$venv/installed.txt is not ${requirements[*]}; unset OPPONENTS_VENV"
    echo "bench-train: making $venv (some GB: PyPI's torch brings CUDA's libraries)"
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 has no venv; install it (on Debian: apt-get install python3-venv)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: "${requirements[@]/#/--requirement=}"
    cat "${requirements[@]}" >"$venv/installed.txt"
fi

if [[ -z ${OMIGA:-} ]]; then
    cargo build --release --quiet
    OMIGA=$target/release/omiga
fi
[[ -x $OMIGA ]] || fail "no program at $OMIGA; build it or set OMIGA to it"
cargo build --release --quiet -p omiga-peak

"$venv/bin/python" benches/opponents/check.py --device "$device" --impl pytorch --impl pytorch-compile --impl jax
"$venv/bin/python" benches/opponents/compare.py --device "$device" --omiga "$OMIGA" --peak "$target/release/peak" "$@"
if (($# == 0)); then
    "$venv/bin/python" benches/report.py "$section"
fi
