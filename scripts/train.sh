#!/usr/bin/env bash
# From a dataset to running controllers: collect (unless DATA is given), train, export, verify, evaluate.
#
#   TASK     spread | spread-discrete | halfcheetah-6x1 | halfcheetah-2x3 | hopper-3x1 | walker2d-2x3 | ant-2x4 | ant-4x2
#                                                                       (default spread; the others need MuJoCo, which is fetched,
#                                                                       and also play with -local, -local0 or -local2 behind)
#   QUALITY  random | medium-replay | medium | medium-expert | expert   (default medium-replay; walker2d has random alone)
#   EPISODES episodes to collect                                        (default 2000, of robots 200)
#   EVAL     episodes of the table at the end                           (default 1000, of robots 32)
#   DATA     a dataset of your own instead; of a robot, with its TASK
#   ALGO     omiga: OMIGA and its baseline BC; bc: BC alone             (default omiga)
#   STEPS    updates                                                    (default: the task's preset)
#   SEED     seed of data and training                                  (default 0)
#   SET      settings, e.g. "omiga.alpha=1 policy.action_margin=0.02"   (default: the task's preset)
#   DEVICE   cpu | cuda:N                                               (default cpu)
#   OUT      where everything is written                                (default runs/<task>-<quality>-seed<seed>)
#
# What lies in OUT is kept: a run that was stopped goes on, a finished one is evaluated again. Other settings need another OUT.
set -euo pipefail
cd "$(dirname "$0")/.."

TASK=${TASK:-spread} ALGO=${ALGO:-omiga}
episodes=200 quality=medium-replay
case $TASK in
    spread*) episodes=2000 EVAL=${EVAL:-1000} ;;
    walker2d-*) quality=random ;;
esac
QUALITY=${QUALITY:-$quality} EPISODES=${EPISODES:-} EVAL=${EVAL:-32}
SEED=${SEED:-0} DEVICE=${DEVICE:-} STEPS=${STEPS:-} SET=${SET:-} DATA=${DATA:-}
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
build_program "$TASK" "${DEVICE:-cpu}"

mkdir -p "$OUT"
if [[ -z $DATA ]]; then
    DATA=$OUT/data.hdf5
    if [[ ! -f $DATA ]]; then
        "$omiga" collect --task "$TASK" --quality "$QUALITY" --episodes "${EPISODES:-$episodes}" --seed "$SEED" --out "$DATA"
    elif [[ -n $EPISODES ]]; then
        "$omiga" inspect "$DATA" --json | grep -q "^  \"episodes\": $EPISODES,$" ||
            fail "\`$DATA\` has not $EPISODES episodes; choose another OUT, or remove it"
    fi
fi

# Side by side: the smaller one ends first and leaves all cores to the other. The program refuses to go on with other settings.
train() {
    local run=$OUT/$1 setting arguments=(--data "$DATA" --out "$OUT/$1")
    if [[ -f $run/config.toml ]]; then
        arguments+=(--resume)
    else
        arguments+=(--algo "$1" --seed "$SEED")
    fi
    for setting in $SET; do
        arguments+=(--set "$setting")
    done
    [[ -z $DEVICE ]] || arguments+=(--device "$DEVICE")
    [[ -z $STEPS ]] || arguments+=(--steps "$STEPS")
    exec "$omiga" train "${arguments[@]}" \
        2> >(grep --line-buffered -E '^(step [0-9]|omiga:|error:|stopping|go on|task|data:)' | sed -u "s/^/$1: /" >&2)
}
processes=()
for algorithm in "${algorithms[@]}"; do
    train "$algorithm" &
    processes+=($!)
done
failed=
for process in "${processes[@]}"; do
    wait "$process" || failed=yes
done
[[ -z $failed ]] || fail "a training failed or was stopped; the same command goes on from the last checkpoint"

bundles=()
for algorithm in "${algorithms[@]}"; do
    "$omiga" export --checkpoint "$OUT/$algorithm/last.safetensors" --out "$OUT/$algorithm/bundle"
    "$omiga" verify "$OUT/$algorithm/bundle" --engine native --engine onnxruntime
    bundles+=(--bundle "$algorithm=$OUT/$algorithm/bundle")
done

"$omiga" eval --data "$DATA" --random "${bundles[@]}" --engine onnxruntime --episodes "$EVAL" | tee "$OUT/results.txt"
echo "data: $DATA; runs (metrics, checkpoints, TensorBoard events), bundles and results.txt: $OUT"
