#!/usr/bin/env bash
# `omiga run PLAN` with the variables of `make train`, `make reproduce` and `make study`. Each that is set becomes a value of the
# plan and wins over it; what they mean stands in examples/plans.
#
#   TASK, TASKS         data.task              QUALITY, QUALITIES  data.quality
#   EPISODES            data.episodes          DATA                data.file: a dataset of your own; of a robot, with its TASK
#   FILES               data.files: datasets of your own beside the recorded ones, e.g. "a.hdf5 b.hdf5"
#   SEED                data.seed, and the one of train.seeds      SEEDS  train.seeds, e.g. 0..5
#   ALGO, ALGOS         train.algorithms, e.g. "bc omiga omiga-official"
#   STEPS               settings.run.steps     DEVICE              settings.run.device: cpu or cuda:N
#   SET                 other settings, e.g. "omiga.alpha=1 policy.action_margin=0.02"
#   EVAL                evaluate.episodes      OUT                 out
#   PAGE                report.page            BASELINE, MEASURE   report.baseline, report.measure
#   DRY_RUN             anything: say what would be done
set -euo pipefail
cd "$(dirname "$0")/.."

plan=$1 TASK=${TASK:-${TASKS:-}} QUALITY=${QUALITY:-${QUALITIES:-}} ALGOS=${ALGOS:-${ALGO:-}} SEED=${SEED:-}

source scripts/program.sh
build_program "${TASK:-$(<"$plan")} ${FILES:-}" "${DEVICE:-cpu}"

arguments=()
give() {
    [[ -z $2 ]] || arguments+=(--set "$1=$2")
}
give data.task "$TASK"
give data.quality "$QUALITY"
give data.episodes "${EPISODES:-}"
give data.file "${DATA:-}"
give data.files "${FILES:-}"
give data.seed "$SEED"
give train.seeds "${SEEDS:-$SEED}"
give train.algorithms "$ALGOS"
give settings.run.steps "${STEPS:-}"
give settings.run.device "${DEVICE:-}"
for setting in ${SET:-}; do
    give "settings.${setting%%=*}" "${setting#*=}"
done
give evaluate.episodes "${EVAL:-}"
give out "${OUT:-}"
give report.page "${PAGE:-}"
give report.baseline "${BASELINE:-}"
give report.measure "${MEASURE:-}"
[[ -z ${DRY_RUN:-} ]] || arguments+=(--dry-run)

exec "$omiga" run "$plan" ${arguments[@]+"${arguments[@]}"}
