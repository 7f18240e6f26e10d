"""`omiga train` against the opponents on the same shapes, alternating, several rounds; medians and ratios.

Every measurement is a process of its own. Ours is the difference of two run lengths, so that reading the data and
writing the checkpoint do not count. Writes rows {task, impl, threads, device, ms_per_update, floor_ms} to `--out`.

    python compare.py --omiga target/release/omiga --rounds 3
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dataset import write
from tasks import TASKS

HERE = Path(__file__).resolve().parent
SHORT, LONG = 50, 350  # updates of our two runs
PEAK = """
import time
import numpy, torch
torch.set_num_threads(1)
def best(product, x, n):
    times = []
    for _ in range(15):
        begin = time.perf_counter()
        product(x, x)
        times.append(time.perf_counter() - begin)
    return 2 * n**3 / min(times)
def both(n):
    x = numpy.random.default_rng(0).random((n, n), dtype=numpy.float32)
    return max(best(numpy.matmul, x, n), best(torch.mm, torch.from_numpy(x), n))
print(max(both(n) for n in (512, 1024, 1536)))
"""


def run(command: list[str], threads: int, **environment: str) -> str:
    """What the program prints; it may use `threads` CPUs."""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run(command, text=True, capture_output=True, env=os.environ | environment,
                          preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    if done.returncode:
        sys.exit(f"compare: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def seconds_of_ours(omiga: Path, data: Path, threads: int, steps: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(omiga), "train", "--no-preset", "--data", str(data), "--out", f"{folder}/run",
                   "--steps", str(steps), "--set", "data.transform=none", "--set", "run.checkpoint_every=1000000000"]
        begin = time.perf_counter()
        run(command, threads, RAYON_NUM_THREADS=str(threads))
        return time.perf_counter() - begin


def measure(impl: str, task: str, threads: int, omiga: Path, data: Path) -> float:
    """Milliseconds per update."""
    if impl == "omiga":
        short, long = (seconds_of_ours(omiga, data, threads, steps) for steps in (SHORT, LONG))
        return (long - short) / (LONG - SHORT) * 1e3
    command = [sys.executable, str(HERE / "bench.py"), "--task", task, "--impl", impl, "--threads", str(threads)]
    return json.loads(run(command, threads))["ms_per_update"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--omiga", type=Path, required=True, help="the program, a release build")
    parser.add_argument("--out", type=Path, default=Path("target/bench/train.json"))
    parser.add_argument("--task", action="append", choices=TASKS, help="default: all")
    parser.add_argument("--impl", action="append", choices=("torch", "torch-compile", "jax"), help="default: all")
    parser.add_argument("--threads", action="append", type=int, help="default: 1 and 2")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.rounds < 1 or min(args.threads or [1]) < 1:
        parser.error("--rounds and --threads are at least 1")
    wanted = args.threads or [1, 2]
    threads_list = [n for n in wanted if n <= len(os.sched_getaffinity(0))]
    if threads_list != wanted:
        print("compare: fewer CPUs than threads asked for; leaving those out", file=sys.stderr)
    impls = ["omiga", *(args.impl or ("torch", "torch-compile", "jax"))]

    peak = float(run([sys.executable, "-c", PEAK], 1, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"))
    print(f"f32 peak of a core, the fastest large matrix product of NumPy and PyTorch: {peak / 1e9:.0f} GFLOP/s")
    rows = []
    for task in args.task or TASKS:
        data = args.out.parent / f"{task}.hdf5"
        write(TASKS[task], data)
        for threads in threads_list:
            times: dict[str, list[float]] = {impl: [] for impl in impls}
            for _ in range(args.rounds):
                for impl in impls:
                    times[impl].append(measure(impl, task, threads, args.omiga, data))
            floor = TASKS[task].matrix_flops() / (peak * threads) * 1e3
            ours = statistics.median(times["omiga"])
            for impl in impls:
                median = statistics.median(times[impl])
                print(f"{task:16} {threads} threads {impl:14} {median:9.3f} ms ({min(times[impl]):.3f} to "
                      f"{max(times[impl]):.3f}), {median / ours:5.2f} x ours, {median / floor:5.2f} x floor",
                      flush=True)
                rows.append({"task": task, "impl": impl, "threads": threads, "device": "cpu",
                             "ms_per_update": round(median, 4), "floor_ms": round(floor, 4)})
    partial = args.out.with_suffix(".tmp")
    partial.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    partial.replace(args.out)


if __name__ == "__main__":
    main()
