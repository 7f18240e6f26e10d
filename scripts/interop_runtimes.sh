#!/usr/bin/env bash
# Other people's runtimes execute exported policies: see tests/interop/README.md. RUNTIMES="tract openvino-f32" for some of
# tests/interop/runtimes/runtimes.toml, PAGE=docs/runtimes.md to write the table, KEEP=1 to keep their environments (some GB).
# The program under test is $OMIGA if set, else a release build.
set -euo pipefail
[[ -z ${OMIGA:-} ]] || OMIGA=$(realpath "$OMIGA")
cd "$(dirname "$0")/.."

readonly name=interop-runtimes here=tests/interop/runtimes work=target/interop-runtimes

fail() {
    echo "$name: $*" >&2
    exit 2
}

source scripts/venv.sh
source scripts/program.sh
environment "$work/venv" "$here/requirements.txt"
readonly python=$work/venv/bin/python
build_program spread cpu
[[ -x $omiga ]] || fail "no program at $omiga; build it or set OMIGA to it"

# data TASK: a few episodes. policy NAME TASK SETTINGS...: a run of 50 updates on them.
data() {
    "$omiga" collect --quiet --task "$1" --quality medium --episodes 20 --seed 0 --out "$work/$1.hdf5" >/dev/null
}
policy() {
    "$omiga" train --quiet --data "$work/$2.hdf5" --out "$work/runs/$1" --set run.steps=50 "${@:3}" >/dev/null
}
# form POLICY NAME OPTIONS...: a bundle.
form() {
    "$omiga" export --quiet --checkpoint "$work/runs/$1" --out "$work/bundles/$1/$2" "${@:3}" >/dev/null
}

echo "== policies"
rm -rf "$work"/{runs,bundles,cases} "$work"/*.hdf5
mkdir -p "$work/runs" "$work/bundles"
data spread
data spread-discrete
policy spread spread
policy spread-with-id spread --set data.transform=standardise-with-id
policy choices spread-discrete
policy choices-with-id spread-discrete --set data.transform=standardise-with-id
for trained in spread spread-with-id choices choices-with-id; do
    form $trained usual
    form $trained opset-17 --opset 17
    form $trained static --static-batch 1
    form $trained static-opset-17 --static-batch 1 --opset 17
done
for trained in choices choices-with-id; do
    form $trained float-mask --float-mask
    form $trained logits-only --logits-only
    form $trained plain-logits --float-mask --logits-only
    form $trained static-plain-logits --static-batch 1 --float-mask --logits-only
    form $trained static-plain-logits-opset-17 --static-batch 1 --float-mask --logits-only --opset 17
done
"$python" "$here/cases.py" "$work/bundles" --out "$work/cases" \
    --agents spread=agent_0 spread-with-id=agent_1 choices=agent_0 choices-with-id=agent_2

read -ra runtimes <<<"${RUNTIMES:-}"
python3 "$here/run.py" --cases "$work/cases" --work "$work" ${KEEP:+--keep} ${PAGE:+--page "$PAGE"} --only "${runtimes[@]}"
echo "$name: done"
