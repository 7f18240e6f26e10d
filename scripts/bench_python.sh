#!/usr/bin/env bash
# A step of a policy through Python, beside onnxruntime's sessions; the arguments go to benches/python/steps.py. Printed and written
# to target/bench/python.json; without arguments also into docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly name=bench-python venv=target/bench-python-venv

fail() {
    echo "$name: $*" >&2
    exit 2
}

source scripts/venv.sh
scripts/wheel.sh
environment "$venv" benches/python/requirements.txt
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/wheels/*.whl
mkdir -p target/bench
"$venv/bin/python" benches/python/steps.py --out target/bench/python.json "$@"
if (($# == 0)); then
    "$venv/bin/python" benches/report.py python
fi
