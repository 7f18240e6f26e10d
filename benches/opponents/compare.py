"""`omiga train` against the opponents on the same shapes, in turns, several rounds: medians, ratios, targets, floor.

Every measurement is a process of its own. Ours is the difference of two run lengths, so that reading the data and
writing the checkpoint do not count. The order of a round is that of the last one backwards, so that a machine which
gets slower or faster wrongs nobody. Writes rows {task, impl, threads, device, ms_per_update, floor_ms} to `--out`, and
the peak that the floor is counted from to `peak.json` beside it.

    python compare.py --omiga target/release/omiga --peak target/release/peak --rounds 4

`rebrac` is our other algorithm on the same shapes and batch; `--before` adds another build of `omiga`, as `before`.
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
from targets import REBRAC, target_of, verdict
from tasks import IMPLEMENTATIONS, TASKS

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import whole_files  # noqa: E402

HERE = Path(__file__).resolve().parent
# Updates of our two runs: 1,000 updates of 2 ms, or 30,000 of 0.1 ms, are seconds.
LENGTHS = {"cpu": (100, 1_100), "cuda": (1_000, 31_000)}
# On a GPU the CPUs do not compute, but compile.
MOST_CPUS = 16


def run(command: list[str], threads: int, environment: dict[str, str] | None = None) -> str:
    """What the program prints; it may use `threads` CPUs."""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run(command, text=True, capture_output=True, env=os.environ | (environment or {}),
                          preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    if done.returncode:
        sys.exit(f"compare: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def seconds_of_ours(omiga: Path, data: Path, threads: int, device: str, steps: int, algorithm: str = "omiga") -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(omiga), "train", "--no-preset", "--data", str(data), "--out", f"{folder}/run",
                   "--steps", str(steps), "--set", "data.transform=none", "--set", "run.checkpoint_every=1000000000",
                   "--set", f"run.device={device}", "--threads", str(threads),
                   "--set", f"run.algorithm={algorithm}", "--set", "data.batch_size=128"]
        begin = time.perf_counter()
        run(command, threads)
        return time.perf_counter() - begin


def measure(impl: str, task: str, threads: int, device: str, programs: dict[str, Path], data: Path) -> float:
    """Milliseconds per update."""
    if impl in programs:
        lengths = LENGTHS[device.partition(":")[0]]
        algorithm = "rebrac" if impl == "rebrac" else "omiga"
        short, long = (seconds_of_ours(programs[impl], data, threads, device, steps, algorithm) for steps in lengths)
        return (long - short) / (lengths[1] - lengths[0]) * 1e3
    command = [sys.executable, str(HERE / "bench.py"), "--task", task, "--impl", impl, "--threads", str(threads),
               "--device", device]
    return json.loads(run(command, threads))["ms_per_update"]


def peak_of_a_core(program: Path, threads: int, out: Path) -> float:
    """Operations a second; what several cores do at once is compared with it, and all of it written to `out`."""
    peak = json.loads(run([str(program), str(threads)], threads))
    whole_files.write(out, json.dumps(peak) + "\n")
    one = peak["gflops"][0]
    print(f"f32 peak of a core: {one:.0f} GFLOP/s")
    for n, together in enumerate(peak["gflops"][1:], start=2):
        print(f"f32 peak of {n} cores at once: {together:.0f} GFLOP/s, {together / one:.2f} times one core's")
    return one * 1e9


def show(row: dict, times: list[float], ours: list[float]) -> None:
    threads, milliseconds, floor = row["threads"], row["ms_per_update"], row["floor_ms"]
    ours_ms = statistics.median(ours)
    text = (f"{row['task']:16} {threads} thread{'s' if threads > 1 else ' '} {row['impl']:16} {milliseconds:9.3f} ms "
            f"({min(times):.3f} to {max(times):.3f})")
    if floor is not None and row["impl"] != "rebrac":
        text += f", {milliseconds / floor:5.2f}x the floor"
    if row["impl"] != "ours":
        ratios = [theirs / of_ours for theirs, of_ours in zip(times, ours)]
        text += f", {milliseconds / ours_ms:5.2f}x ours ({min(ratios):.2f} to {max(ratios):.2f} in a round)"
    holds = verdict(row, ours_ms)
    if holds is not None:
        bound = f"at most {REBRAC}x" if row["impl"] == "rebrac" else f"at least {target_of(row['impl'], row['device'])}x"
        text += f"; {bound}: {holds}"
    print(text, flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--omiga", type=Path, required=True, help="the program, a release build")
    parser.add_argument("--peak", type=Path, help="the program of benches/peak, a release build; on the CPU")
    parser.add_argument("--out", type=Path, help="default: target/bench/train.json, on a GPU train-cuda.json")
    parser.add_argument("--task", action="append", choices=TASKS, help="default: all")
    parser.add_argument("--before", type=Path, help="another build of it to compare with")
    parser.add_argument("--impl", action="append", choices=("ours", "rebrac", *IMPLEMENTATIONS),
                        help="beside ours; default: all")
    parser.add_argument("--threads", action="append", type=int, help=f"default: 1 and 2, on a GPU all CPUs up to {MOST_CPUS}")
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--rounds", type=int, default=4, help="an even number is fair to a machine that drifts")
    args = parser.parse_args()
    platform, _, index = args.device.partition(":")
    if platform not in LENGTHS or (platform == "cuda") != index.isdecimal():
        parser.error(f"--device is cpu or cuda:N, not {args.device}")
    on_cpu = platform == "cpu"
    if on_cpu and args.peak is None:
        parser.error("--peak is needed on the CPU")
    args.out = args.out or Path("target/bench") / ("train.json" if on_cpu else "train-cuda.json")
    if args.rounds < 1 or min(args.threads or [1]) < 1:
        parser.error("--rounds and --threads are at least 1")
    wanted = args.threads or ([1, 2] if on_cpu else [min(MOST_CPUS, len(os.sched_getaffinity(0)))])
    args.threads = [n for n in wanted if n <= len(os.sched_getaffinity(0))]
    if args.threads != wanted:
        print("compare: fewer CPUs than threads asked for; leaving those out", file=sys.stderr)
    if not args.threads:
        parser.error(f"--threads: no more than {len(os.sched_getaffinity(0))} here")
    return args


def main() -> None:
    args = parse()
    programs = {"ours": args.omiga, "rebrac": args.omiga} | ({"before": args.before} if args.before else {})
    wanted = ["ours", *(["before"] if args.before else []),
              *(impl for impl in args.impl or ("rebrac", *IMPLEMENTATIONS) if impl != "ours")]
    peak = None
    if args.device == "cpu":
        peak = peak_of_a_core(args.peak, max(args.threads), args.out.with_name("peak.json"))
    rows = []
    for task in args.task or TASKS:
        data = args.out.parent / f"{task}.hdf5"
        write(TASKS[task], data)
        if args.device != "cpu":  # the driver's first start is no part of an update
            seconds_of_ours(args.omiga, data, args.threads[0], args.device, 100)
        # ReBRAC needs actions that can be climbed.
        impls = [impl for impl in wanted if impl != "rebrac" or not TASKS[task].discrete]
        for threads in args.threads:
            times: dict[str, list[float]] = {impl: [] for impl in impls}
            for k in range(args.rounds):
                for impl in impls if k % 2 == 0 else reversed(impls):
                    times[impl].append(measure(impl, task, threads, args.device, programs, data))
            floor = None if peak is None else round(TASKS[task].matrix_flops() / (peak * threads) * 1e3, 4)
            for impl in impls:
                row = {"task": task, "impl": impl, "threads": threads, "device": args.device,
                       "ms_per_update": round(statistics.median(times[impl]), 4), "floor_ms": floor}
                rows.append(row)
                show(row, times[impl], times["ours"])
            whole_files.write_rows(args.out, rows)


if __name__ == "__main__":
    main()
