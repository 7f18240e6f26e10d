#!/usr/bin/env bash
# `omiga run PLAN` with the variables that `make train` and `make reproduce` take. Each that is set becomes a setting of the
# plan, and wins over it; what they mean stands in examples/plans.
#
#   TASK      data.task                       QUALITY   data.quality
#   EPISODES  data.episodes                   DATA      data.file: a dataset of your own; of a robot, with its TASK
#   ALGOS     train.algorithms                SEEDS     train.seeds, e.g. 0..5
#   SEED      data.seed, and that one of train.seeds
#   STEPS     settings.run.steps              DEVICE    settings.run.device: cpu or cuda:N
#   SET       more settings, e.g. "omiga.alpha=1 policy.action_margin=0.02"
#   EVAL      evaluate.episodes               OUT       out
#   PAGE      report.page                     THREADS   of the processor (default: one a core)
#   DRY_RUN   anything: say what would be done
set -euo pipefail
cd "$(dirname "$0")/.."

plan=$1
source scripts/program.sh
build_program "${DEVICE:-cpu}"

arguments=()
give() {
    [[ -z $2 ]] || arguments+=(--set "$1=$2")
}
give data.task "${TASK:-}"
give data.quality "${QUALITY:-}"
give data.episodes "${EPISODES:-}"
give data.file "${DATA:-}"
give train.algorithms "${ALGOS:-}"
give data.seed "${SEED:-}"
give train.seeds "${SEEDS:-${SEED:+$SEED..$((SEED + 1))}}"
give settings.run.steps "${STEPS:-}"
give settings.run.device "${DEVICE:-}"
for setting in ${SET:-}; do
    give "settings.${setting%%=*}" "${setting#*=}"
done
give evaluate.episodes "${EVAL:-}"
give out "${OUT:-}"
give report.page "${PAGE:-}"
[[ -z ${THREADS:-} ]] || arguments+=(--threads "$THREADS")
[[ -z ${DRY_RUN:-} ]] || arguments+=(--dry-run)

exec "$omiga" run "$plan" ${arguments[@]+"${arguments[@]}"}
