#!/usr/bin/env bash
# The paper's kind of table: for every task and quality collect a dataset, train with several seeds, export, evaluate; then a page
# with tables and learning curves. The same command goes on where it stopped, and does only what is missing.
#
#   TASKS      of those that `omiga collect --help` lists    (default "hopper-3x1 halfcheetah-6x1")
#   QUALITIES  (default "medium-replay medium medium-expert expert"; of walker2d there is random alone)
#   SEEDS      A..B, B is not trained                       (default 0..2)
#   STEPS      updates                                      (default 100000)
#   ALGOS      of bc, omiga, omiga-official (all that the official code does otherwise) (default all three)
#   EPISODES   of each dataset                              (default 1000)
#   EVAL       episodes that each checkpoint plays          (default 32)
#   DEVICE     cpu | cuda:N                                 (default cpu)
#   OUT        data and runs, as <task>/<quality>/<algorithm>/seed-N (default runs/reproduce)
#   PAGE       (default models/RESULTS.md)
#
# An algorithm of your own: train it into OUT beside the others (`omiga train --seeds`, any folder name) and run this again.
set -euo pipefail
cd "$(dirname "$0")/.."

TASKS=${TASKS:-hopper-3x1 halfcheetah-6x1} QUALITIES=${QUALITIES:-medium-replay medium medium-expert expert}
SEEDS=${SEEDS:-0..2} STEPS=${STEPS:-100000} ALGOS=${ALGOS:-bc omiga omiga-official}
EPISODES=${EPISODES:-1000} EVAL=${EVAL:-32} DEVICE=${DEVICE:-cpu} OUT=${OUT:-runs/reproduce} PAGE=${PAGE:-models/RESULTS.md}

fail() {
    echo "reproduce: $*" >&2
    exit 2
}

for algorithm in $ALGOS; do
    [[ $algorithm == bc || $algorithm == omiga || $algorithm == omiga-official ]] ||
        fail "ALGOS has \`$algorithm\`, expected bc, omiga, omiga-official"
done

source scripts/program.sh
build_program "$TASKS" "$DEVICE"

# A run that was stopped goes on; a finished one is kept.
train() {
    local cell=$1 algorithm=$2 out=$1/$2
    local arguments=(--data "$cell/data.hdf5" --out "$out" --seeds "$SEEDS" --steps "$STEPS")
    if compgen -G "$out/seed-*/config.toml" >/dev/null; then
        arguments+=(--resume)
    else
        arguments+=(--algo "${algorithm%-official}" --device "$DEVICE")
        [[ $algorithm != *-official ]] || arguments+=(--official)
    fi
    "$omiga" train "${arguments[@]}" 2> >(grep --line-buffered -E '^(seed [0-9]+: step [0-9]+: return|omiga:|error:|stopping|go on)' >&2) ||
        fail "$out was stopped; the same command goes on from its last checkpoints"
}

# Bundles of all runs there are, and their returns on the same episodes.
evaluate() {
    local cell=$1 newer='' bundles=() run checkpoint bundle name
    for run in "$cell"/*/seed-*/; do
        for checkpoint in last best; do
            [[ -f $run$checkpoint.safetensors ]] || continue
            bundle=$run$checkpoint-bundle
            if [[ ! -d $bundle || $run$checkpoint.safetensors -nt $bundle ]]; then
                "$omiga" export --checkpoint "$run$checkpoint.safetensors" --out "$bundle" >/dev/null
            fi
            name=$(basename "$(dirname "$run")")/$(basename "$run")
            [[ $checkpoint == last ]] || name+=/best
            bundles+=(--bundle "$name=$bundle")
            [[ $cell/eval.json -nt $bundle ]] || newer=yes
        done
    done
    [[ -n $newer ]] || return 0
    "$omiga" eval --data "$cell/data.hdf5" --random "${bundles[@]}" --episodes "$EVAL" --json >"$cell/eval.json.part"
    mv "$cell/eval.json.part" "$cell/eval.json"
}

for task in $TASKS; do
    for quality in $QUALITIES; do
        cell=$OUT/$task/$quality
        echo "== $cell"
        mkdir -p "$cell"
        [[ -f $cell/data.hdf5 ]] ||
            "$omiga" collect --task "$task" --quality "$quality" --episodes "$EPISODES" --seed 0 --out "$cell/data.hdf5"
        for algorithm in $ALGOS; do
            train "$cell" "$algorithm"
        done
        evaluate "$cell"
        "$omiga" report "$OUT" --reference models/paper.toml --out "$PAGE"
    done
done
