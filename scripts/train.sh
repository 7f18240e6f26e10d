#!/usr/bin/env bash
# From a dataset to running controllers: collect (unless DATA is given), train, export, verify, evaluate.
#
#   TASK     spread | spread-discrete | halfcheetah-6x1 | halfcheetah-2x3 | hopper-3x1 | walker2d-2x3 | ant-2x4 | ant-4x2
#                                                                       (default spread; the others need MuJoCo, which is fetched,
#                                                                       and also play with -local, -local0 or -local2 behind)
#   QUALITY  random | medium-replay | medium | medium-expert | expert   (default medium-replay)
#   EPISODES episodes to collect                                        (default 2000, of robots 200)
#   EVAL     episodes of the table at the end                           (default 1000, of robots 32)
#   DATA     a dataset of your own instead
#   ALGO     omiga: OMIGA and its baseline BC; bc: BC alone             (default omiga)
#   STEPS    updates                                                    (default: the task's preset)
#   SEED     seed of data and training                                  (default 0)
#   SET      settings, e.g. "omiga.alpha=1 policy.action_margin=0.02"   (default: the task's preset)
#   DEVICE   cpu | cuda:N                                               (default cpu)
#   OUT      where everything is written                                (default runs/<task>-<quality>-seed<seed>)
set -euo pipefail
cd "$(dirname "$0")/.."

TASK=${TASK:-spread} QUALITY=${QUALITY:-medium-replay} ALGO=${ALGO:-omiga}
case $TASK in
    spread*) EPISODES=${EPISODES:-2000} EVAL=${EVAL:-1000} ;;
    *) EPISODES=${EPISODES:-200} EVAL=${EVAL:-32} ;;
esac
SEED=${SEED:-0} DEVICE=${DEVICE:-cpu} STEPS=${STEPS:-} SET=${SET:-} DATA=${DATA:-}
name=$TASK-$QUALITY
[[ -z $DATA ]] || name=$(basename "${DATA%.*}")
OUT=${OUT:-runs/$name-seed$SEED}

fail() {
    echo "train: $*" >&2
    exit 2
}

case $ALGO in
    omiga) algorithms=(bc omiga) ;;
    bc) algorithms=(bc) ;;
    *) fail "ALGO is \`$ALGO\`, expected omiga or bc" ;;
esac
[[ -z $DATA || -f $DATA ]] || fail "no file \`$DATA\`"

source scripts/program.sh
build_program "$TASK" "$DEVICE"

mkdir -p "$OUT"
if [[ -z $DATA ]]; then
    DATA=$OUT/data.hdf5
    [[ -f $DATA ]] || "$omiga" collect --task "$TASK" --quality "$QUALITY" --episodes "$EPISODES" --seed "$SEED" --out "$DATA"
fi

# Side by side: the smaller one ends first and leaves all cores to the other. A run that was stopped goes on; a finished one is kept.
train() {
    local run=$OUT/$1 setting arguments=(--data "$DATA" --out "$OUT/$1")
    if [[ -f $run/config.toml ]]; then
        arguments+=(--resume)
    else
        arguments+=(--algo "$1" --seed "$SEED" --device "$DEVICE")
        for setting in $SET; do
            arguments+=(--set "$setting")
        done
    fi
    [[ -z $STEPS ]] || arguments+=(--steps "$STEPS")
    "$omiga" train "${arguments[@]}" 2> >(grep -E '^(step [0-9]|omiga:|error:|stopping|go on|task)' | sed "s/^/$1: /" >&2)
}
processes=()
for algorithm in "${algorithms[@]}"; do
    train "$algorithm" &
    processes+=($!)
done
for process in "${processes[@]}"; do
    wait "$process" || fail "training failed or was stopped; the same command goes on from the last checkpoint"
done

bundles=()
for algorithm in "${algorithms[@]}"; do
    "$omiga" export --checkpoint "$OUT/$algorithm/last.safetensors" --out "$OUT/$algorithm/bundle"
    "$omiga" verify "$OUT/$algorithm/bundle" --engine native --engine onnxruntime
    bundles+=(--bundle "$algorithm=$OUT/$algorithm/bundle")
done

"$omiga" eval --data "$DATA" --random "${bundles[@]}" --engine onnxruntime --episodes "$EVAL" | tee "$OUT/results.txt"
echo "data: $DATA; runs (metrics, checkpoints, TensorBoard events), bundles and results.txt: $OUT"
