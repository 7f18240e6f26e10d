#!/usr/bin/env bash
# `omiga sweep --on slurm` against a real Slurm on this machine, started for the test and ended with it: tasks that are killed, signalled
# and queued again, two sweeps at once, a time limit. Every run must have the bytes of `omiga train`. Needs root and Debian's packages
# slurm-wlm and munge; without them it says that it skips. $OMIGA names a program that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "SKIPPED: $*"
    exit 0
}

[[ $(uname -s) == Linux && $(id -u) == 0 ]] || skip "Slurm's daemons are started as root on Linux"
for program in slurmctld slurmd munged sbatch squeue scontrol scancel; do
    command -v $program >/dev/null || skip "there is no $program; on Debian: apt-get install slurm-wlm munge"
done

source scripts/program.sh
build_program spread cpu
omiga=$(realpath "$omiga")

cluster=$(mktemp -d)
export SLURM_CONF=$cluster/slurm.conf

# What was started is ended by its own number; the jobs first.
end() {
    local name
    scancel --me --quiet 2>/dev/null || true
    for _ in {1..100}; do
        [[ -n $(squeue --noheader --me 2>/dev/null) ]] || break
        sleep 0.1
    done
    for name in slurmd slurmctld munged; do
        [[ ! -s $cluster/$name.pid ]] || kill "$(<"$cluster/$name.pid")" 2>/dev/null || true
    done
    sleep 2
    rm -rf "$cluster"
}
trap end EXIT

fail() {
    echo "slurm: $*" >&2
    tail -n 20 "$cluster"/*.log "$cluster"/*/slurm/*/*.log >&2 || true
    squeue >&2 || true
    exit 1
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < until)) || fail "waited in vain for: $*"
        sleep 0.1
    done
}

start_cluster() {
    local host port
    host=$(hostname -s)
    port=$((20000 + RANDOM % 20000))
    chmod 755 "$cluster"
    mkdir "$cluster/state" "$cluster/spool"
    head -c 1024 /dev/urandom >"$cluster/munge.key"
    chmod 600 "$cluster/munge.key"
    munged --key-file="$cluster/munge.key" --socket="$cluster/munge.socket" --pid-file="$cluster/munged.pid" \
        --seed-file="$cluster/munge.seed" --log-file="$cluster/munged.log"
    # Two tasks at a time, however many cores there are; without accounting, as on many small clusters. Tasks that are queued again
    # wait for their credentials to expire.
    cat >"$SLURM_CONF" <<-END
		ClusterName=test
		SlurmctldHost=$host(127.0.0.1)
		AuthType=auth/munge
		AuthInfo=socket=$cluster/munge.socket,cred_expire=5
		CredType=cred/munge
		SlurmUser=root
		SlurmctldPort=$port
		SlurmdPort=$((port + 1))
		StateSaveLocation=$cluster/state
		SlurmdSpoolDir=$cluster/spool
		SlurmctldPidFile=$cluster/slurmctld.pid
		SlurmdPidFile=$cluster/slurmd.pid
		SlurmctldLogFile=$cluster/slurmctld.log
		SlurmdLogFile=$cluster/slurmd.log
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		ReturnToService=2
		JobAcctGatherType=jobacct_gather/none
		AccountingStorageType=accounting_storage/none
		SlurmdParameters=config_overrides
		NodeName=$host CPUs=2 NodeAddr=127.0.0.1 State=UNKNOWN
		PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
	END
    slurmctld -f "$SLURM_CONF"
    wait_for 30 scontrol ping >/dev/null
    slurmd -f "$SLURM_CONF"
    wait_for 60 is_idle
}

is_idle() {
    [[ $(sinfo --noheader --format=%t 2>/dev/null) == idle* ]]
}

# plan NAME SEEDS [SLURM]: NAME.toml, trainings of some seconds each.
plan() {
    cat >"$1.toml" <<-END
		out = "$1"
		[data]
		file = "data.hdf5"
		[train]
		algorithms = "bc"
		seeds = "$2"
		[settings]
		network.hidden = 64
		run.steps = $steps
		run.checkpoint_every = 500
		run.eval_every = $((steps / 2))
		run.eval_episodes = 4
		optim.lr_schedule = "constant"
		[slurm]
		${3:-}
	END
}

# job NAME: the number of its newest array.
job() {
    local newest
    newest=$(ls -d "$1"/slurm/* | tail -n 1)
    cat "$newest/job"
}

# has_checkpoint NAME SEED, is_gone JOB, stands NAME STATE (how many), is_logged FILE TEXT
has_checkpoint() { compgen -G "$1/bc/seed-$2/step_*.safetensors" >/dev/null; }
is_gone() { [[ -z $(squeue --noheader --array --me --format=%F | grep -x "$1") ]]; }
stands() { "$omiga" sweep status "$1.toml" --json | grep -c "\"state\": \"$2\""; }
is_logged() { grep -qs "$2" "$1"; }

# signal NAME TASK: once. To a task that has just begun scancel sends it, is told to try again later, and would do so, seconds later.
signal() { timeout 3 scancel --signal="$1" --batch "$2" 2>/dev/null || true; }

# process JOB TASK: the one that the task is now.
process() {
    local of
    for of in /proc/[0-9]*; do
        [[ $(readlink "$of/exe") == "$omiga" ]] || continue
        if [[ $(tr '\0' '\n' <"$of/environ" | grep -cxE "SLURM_ARRAY_JOB_ID=$1|SLURM_ARRAY_TASK_ID=$2") == 2 ]]; then
            basename "$of"
            return
        fi
    done
    fail "there is no process of task $2"
}

# same NAME SEED: every file has the bytes of `omiga train`, but for the times in the events and the record of the sweep.
same() {
    local alone=alone/seed-$2
    if [[ ! -d $alone ]]; then
        "$omiga" train --quiet --data data.hdf5 --out "$alone" --config settings.toml --algo bc --seed "$2" >/dev/null
    fi
    diff -r --exclude='events.*' --exclude=train.step.json "$alone" "$1/bc/seed-$2" ||
        fail "$1: seed $2 is not what omiga train makes"
    [[ -f $1/bc/seed-$2/train.step.json && -f $1/bc/seed-$2/events.out.tfevents.0.omiga ]]
}

start_cluster
cd "$cluster"
steps=20000
"$omiga" collect --quiet --task spread --quality medium --episodes 100 --out data.hdf5 >/dev/null
plan a "0..4"
plan b "0..2"
sed -n '/^\[settings\]/,/^\[slurm\]/p' a.toml | sed -e '/^\[/d' >settings.toml

echo "two sweeps at once, and one of them submitted again"
"$omiga" sweep a.toml --quiet --on slurm >/dev/null
"$omiga" sweep b.toml --quiet --on slurm >/dev/null
"$omiga" sweep a.toml --on slurm --resume 2>&1 >/dev/null | grep -q "4 trainings are in Slurm's queue already" ||
    fail "what was queued was not seen"
[[ $(ls a/slurm) == 0000 ]] || fail "a training was queued twice"
job=$(job a)

echo "kill -9: the task is lost, its checkpoints are not"
wait_for 120 has_checkpoint a 0
kill -KILL "$(process "$job" 0)"

echo "scancel --signal=USR1, as before a time limit: a checkpoint, and the task is queued again"
wait_for 120 has_checkpoint a 1
signal USR1 "${job}_1"
wait_for 60 is_logged a/slurm/0000/1.log "is queued again"

echo "scontrol requeue, as when a node is needed elsewhere"
wait_for 120 has_checkpoint a 2
scontrol requeue "${job}_2" || fail "task 2 was over before it could be queued again"

echo "scancel --signal=TERM: a checkpoint, and the task is over"
wait_for 240 has_checkpoint a 3
signal TERM "${job}_3"
wait_for 60 is_logged a/slurm/0000/3.log "stopped"

wait_for 600 is_gone "$job"
wait_for 600 is_gone "$(job b)"
[[ $(stands b finished) == 2 ]] || fail "the other sweep is not finished"
[[ $(stands a finished) == 2 && $(stands a begun) == 2 ]] || fail "two of the four runs are to be done"

echo "--resume does what is missing"
"$omiga" sweep a.toml --quiet --on slurm --resume >/dev/null
[[ $(grep -c '"out"' a/slurm/0001/tasks.json) == 2 ]] || fail "not the two that are missing were queued"
wait_for 600 is_gone "$(job a)"
"$omiga" sweep status a.toml || fail "a sweep is not finished"

# Slurm warns up to a minute early: here 10 seconds after the start or later, and 20 before the limit.
echo "a time limit, while the others are compared: the task stores its state in time, is queued again, and goes on"
steps=100000000
plan c "0..1" $'time = "1"\nwarning_s = 20'
"$omiga" sweep c.toml --quiet --on slurm >/dev/null
for seed in 0 1 2 3; do same a $seed; done
for seed in 0 1; do same b $seed; done
wait_for 120 is_logged c/slurm/0000/0.log "is queued again"
wait_for 60 is_logged c/slurm/0000/0.log "going on from step"
[[ $(stands c running) == 1 ]] || fail "the task is not what goes on"
scancel "$(job c)"

echo "what was learned makes tables, and can be chosen from"
"$omiga" run a.toml --quiet --set evaluate.episodes=4 >/dev/null
"$omiga" report a --out a.md >/dev/null
"$omiga" select a --data data.hdf5 --first-steps 20 --steps 20 --threads 1 >/dev/null
echo "Slurm: six runs of two sweeps are, byte for byte, what omiga train makes"
