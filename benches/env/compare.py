"""Environment steps per second: ours on one and on all cores, gymnasium's on one, and the simulator's alone, in turns.

Every measurement is a process of its own, bound to as many CPUs as threads. Puts rows {task, impl, threads, steps_per_s}, medians of
the rounds, into `--out` in place of what it says of these tasks.

    python compare.py --steps target/release/examples/steps --physics target/bench/physics --rounds 3
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from whole_files import replace_rows  # noqa: E402

HERE = Path(__file__).resolve().parent

@dataclass(frozen=True)
class Robot:
    """What others need to step the same robot."""

    gymnasium: str
    model: str
    frames: int
    """Steps of the simulator in a step."""
    episode: int
    """Steps of an episode with random actions, about."""


TASKS = {
    "hopper-3x1": Robot("Hopper-v5", "hopper.xml", 4, 20),
    "halfcheetah-6x1": Robot("HalfCheetah-v5", "half_cheetah.xml", 5, 1000),
    "walker2d-2x3": Robot("Walker2d-v5", "walker2d_v5.xml", 4, 20),
    "ant-2x4": Robot("Ant-v5", "ant.xml", 5, 100),
}


def run(command: list[str], threads: int, rate: str = "steps_per_s") -> float:
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run(command, text=True, capture_output=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    if done.returncode:
        sys.exit(f"compare: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])[rate]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=Path, required=True, help="the example `steps`, a release build")
    parser.add_argument("--physics", type=Path, required=True, help="physics.c, compiled")
    parser.add_argument("--assets", type=Path, default=Path(".deps/mujoco/assets"), help="the robots' models")
    parser.add_argument("--out", type=Path, default=Path("target/bench/env.json"))
    parser.add_argument("--task", action="append", choices=TASKS, help="default: all")
    parser.add_argument("--count", type=int, default=40_000, help="steps of a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if min(args.count, args.rounds) < 1:
        parser.error("--count and --rounds are at least 1")
    cores = len(os.sched_getaffinity(0))
    rows = []
    for task in args.task or TASKS:
        ours = lambda threads, task=task: [str(args.steps), task, str(args.count), str(threads)]  # noqa: E731
        contenders = {("ours", n): ours(n) for n in dict.fromkeys((1, cores))}
        robot = TASKS[task]
        contenders["gymnasium", 1] = [sys.executable, str(HERE / "gymnasium_steps.py"), robot.gymnasium, str(args.count)]
        physics = [args.physics, args.assets / robot.model, robot.frames, robot.episode, args.count]
        contenders["simulator", 1] = [str(word) for word in physics]
        found: dict[tuple[str, int], list[float]] = {key: [] for key in contenders}
        for _ in range(args.rounds):
            for (impl, threads), command in contenders.items():
                found[impl, threads].append(run(command, threads))
        medians = {key: statistics.median(rates) for key, rates in found.items()}
        for (impl, threads), rate in medians.items():
            print(f"{task:16} {impl:10} {threads} thread{'s' if threads > 1 else ' '} {rate:10.0f} steps/s, "
                  f"{rate / medians['gymnasium', 1]:5.2f}x gymnasium", flush=True)
            rows.append({"task": task, "impl": impl, "threads": threads, "steps_per_s": round(rate, 1)})
    replace_rows(args.out, rows)


if __name__ == "__main__":
    main()
