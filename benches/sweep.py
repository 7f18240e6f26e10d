"""What a training costs in a sweep: `omiga train`, a sweep of that one run, and the task that Slurm starts, in turns.

Each round does all three, in an order that is turned round by round, and compares them with its own `omiga train`. Seconds of the
processor (the user's and the system's) are the figure that a busy machine changes least. All three must make the same weights.
What a sweep adds is the same for short trainings and for long ones: the short ones show it best, in many rounds.
Standard library only; needs a built program, see scripts/bench_sweep.sh.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAYS = ("train", "sweep", "task")
# Updates of a training, and rounds.
LENGTHS = ((30, 60), (900, 21))


def settings(steps: int) -> str:
    return f'run.steps = {steps}\nrun.eval_every = {steps // 3}\noptim.lr_schedule = "constant"\n'


def prepare(program: str, folder: Path, steps: int) -> None:
    """The data, the settings, the same as a plan, and programs that take tasks as Slurm's do."""
    collect = ["collect", "--quiet", "--task", "spread", "--quality", "medium", "--episodes", "2000", "--out", "data.hdf5"]
    subprocess.run([program, *collect], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (folder / "settings.toml").write_text(settings(steps))
    plan = f'out = "sweep"\n[data]\nfile = "data.hdf5"\n[train]\nalgorithms = "omiga"\n[settings]\n{settings(steps)}'
    (folder / "sweep.toml").write_text(plan)
    (folder / "task.toml").write_text(plan.replace('"sweep"', '"task"'))
    (folder / "bin").mkdir()
    for name, text in (("sbatch", "#!/bin/sh\necho 1\n"), ("squeue", "#!/bin/sh\n")):
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)


def command(program: str, way: str) -> list[str]:
    of = {
        "train": ["train", "--data", "data.hdf5", "--out", "train", "--algo", "omiga", "--config", "settings.toml"],
        "sweep": ["sweep", "sweep.toml"],
        "task": ["sweep", "task", "task/slurm/0000", "--number", "0"],
    }
    return [program, *of[way], "--threads", "1", "--quiet"]


def timed(words: list[str], folder: Path) -> tuple[float, float]:
    """Seconds of the processor and of the clock."""
    begin = time.perf_counter()
    child = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"bench-sweep: {' '.join(words)} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - begin


def one_round(program: str, folder: Path, order: list[str]) -> dict[str, tuple[float, float]]:
    for way in WAYS:
        shutil.rmtree(folder / way, ignore_errors=True)
    # What is submitted lies there before the task begins; its cost is that of the command, not of a run.
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    submit = [program, "sweep", "task.toml", "--quiet", "--on", "slurm"]
    subprocess.run(submit, cwd=folder, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": path})
    seconds = {way: timed(command(program, way), folder) for way in order}
    runs = {"train": "train", "sweep": "sweep/omiga/seed-0", "task": "task/omiga/seed-0"}
    if len({(folder / run / "last.safetensors").read_bytes() for run in runs.values()}) != 1:
        sys.exit("bench-sweep: the three did not make the same weights")
    return seconds


def interval(sorted_values: list[float]) -> tuple[float, float]:
    """Of the median, with 95 % or more, whatever the distribution: by the number of values below it, which is binomial.

    Of less than six values the range, which is no such interval.
    """
    n = len(sorted_values)
    below = [sum(math.comb(n, j) for j in range(k + 1)) / 2**n for k in range(n)]
    k = sum(share <= 0.025 for share in below)
    return sorted_values[max(k - 1, 0)], sorted_values[min(n - k, n - 1)]


def row(way: str, steps: int, rounds: list[dict[str, tuple[float, float]]]) -> dict[str, object]:
    """Medians; what is compared is compared within a round."""
    found: dict[str, object] = {"way": {"train": "omiga train", "sweep": "omiga sweep", "task": "task of Slurm"}[way]}
    found |= {"updates": steps, "rounds": len(rounds)}
    for k, name in enumerate(("cpu", "wall")):
        found[f"{name}_s"] = statistics.median(seconds[way][k] for seconds in rounds)
        of = lambda compared: sorted(compared(seconds[way][k], seconds["train"][k]) for seconds in rounds)
        more = of(lambda ours, train: 1e3 * (ours - train))
        ratios = of(lambda ours, train: ours / train)
        for what, values, digits in (("more_ms", more, 0), ("ratio", ratios, 3)):
            middle, (least, most) = statistics.median(values), interval(values)
            # Without the sign of a zero.
            text = [f"{round(x, digits) + 0.0:.{digits}f}" for x in (middle, least, most)]
            found[f"{name}_{what}"] = "" if way == "train" else f"{text[0]} [{text[1]}, {text[2]}]"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="a built omiga")
    parser.add_argument("--json", type=Path, required=True, help="where the result goes")
    parser.add_argument("--rounds", type=int, help="of each length")
    parser.add_argument("--steps", type=int, help="updates of a training, for one length alone")
    args = parser.parse_args()
    program = str(Path(args.program).resolve())
    lengths = [(args.steps, 5)] if args.steps else LENGTHS
    rows = []
    for steps, count in lengths:
        rounds = []
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare(program, folder, steps)
            for k in range(args.rounds or count):
                order = [WAYS[(k + i) % len(WAYS)] for i in range(len(WAYS))]
                rounds.append(one_round(program, folder, order))
        rows += [row(way, steps, rounds) for way in WAYS]
        for one in rows[-len(WAYS):]:
            print("  ".join(f"{key} {value}" for key, value in one.items()), flush=True)
    args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
