#!/usr/bin/env bash
# One training by `omiga train`, as a sweep of one run, and as the task that Slurm starts, in turns: seconds of the processor (of the system
# and the user's) and of the wall, the least of each. Arguments: --rounds N (5), --steps N (3000).
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=5 steps=3000
while (($# > 0)); do
    case $1 in
    --rounds) rounds=$2 ;;
    --steps) steps=$2 ;;
    *) echo "bench-sweep: \`$1\`? Expected --rounds N or --steps N" >&2 && exit 2 ;;
    esac
    shift 2
done

source scripts/program.sh
build_program spread cpu
omiga=$(realpath "$omiga")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$omiga" collect --quiet --task spread --quality medium --episodes 2000 --out data.hdf5 >/dev/null
printf 'run.steps = %s\nrun.eval_every = 1000\noptim.lr_schedule = "constant"\n' "$steps" >settings.toml
printf 'out = "sweep"\n[data]\nfile = "data.hdf5"\n[train]\nalgorithms = "omiga"\n[settings]\n%s\n' "$(<settings.toml)" >sweep.toml

# timed NAME COMMAND...: a line with name, seconds of the processor, seconds of the wall.
timed() {
    local name=$1 TIMEFORMAT='%U %S %R' user system wall
    shift
    read -r user system wall < <({ time "$@" >/dev/null 2>&1; } 2>&1)
    awk -v name="$name" -v u="$user" -v s="$system" -v w="$wall" 'BEGIN { print name, u + s, w }' >>times
}

for ((i = 0; i < rounds; i++)); do
    rm -rf train sweep
    timed train "$omiga" train --data data.hdf5 --out train --algo omiga --config settings.toml --threads 1
    timed sweep "$omiga" sweep sweep.toml --threads 1
    # The task of a list as `--on slurm` writes it: what `sbatch` would be given is done here.
    rm -rf sweep
    mkdir -p bin
    printf '#!/bin/sh\necho 1\n' >bin/sbatch
    printf '#!/bin/sh\n' >bin/squeue
    chmod +x bin/*
    PATH=$PWD/bin:$PATH "$omiga" sweep sweep.toml --quiet --on slurm >/dev/null
    timed task "$omiga" sweep task sweep/slurm/0000 --number 0 --threads 1
done
awk '
    { if (!($1 in cpu) || $2 < cpu[$1]) cpu[$1] = $2; if (!($1 in wall) || $3 < wall[$1]) wall[$1] = $3 }
    END {
        split("train sweep task", names, " ")
        for (i = 1; i <= 3; i++) {
            name = names[i]
            printf "%-6s %8.2f s of the processor (x %.3f) %8.2f s of the wall (x %.3f)\n",
                name, cpu[name], cpu[name] / cpu["train"], wall[name], wall[name] / wall["train"]
        }
    }' times
