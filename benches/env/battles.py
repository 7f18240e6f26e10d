"""Steps of battles per second: ours on one and on all cores, jaxmarl's on one core with 1, 64 and 1024 environments, in turns.

Every measurement is a process of its own, bound to as many CPUs as threads. Seconds are those of the processor (of threads those of
the longest), so that a busy machine changes ratios little. Puts rows {task, impl, threads, steps_per_s, steps, rounds}, medians of
the rounds, into `--out` in place of what it says of these tasks.

    python battles.py --steps target/release/examples/steps --rounds 3
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from compare import run  # noqa: E402
from whole_files import replace_rows  # noqa: E402

HERE = Path(__file__).resolve().parent
MAPS = ["3m", "2s3z", "5m_vs_6m", "6h_vs_8z"]
ENVIRONMENTS = [1, 64, 1024]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=Path, required=True, help="the example `steps`, a release build")
    parser.add_argument("--out", type=Path, default=Path("target/bench/env.json"))
    parser.add_argument("--map", action="append", choices=MAPS, help="default: all")
    parser.add_argument("--count", type=int, default=400_000, help="steps of a measurement, of jaxmarl's single environment a tenth")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if min(args.count, args.rounds) < 1:
        parser.error("--count and --rounds are at least 1")
    os.environ["JAX_PLATFORMS"] = "cpu"
    # What was compiled in the first round is not compiled again.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path("target/jax-cache").resolve())
    cores = len(os.sched_getaffinity(0))
    rows = []
    for name in args.map or MAPS:
        task = f"smax-{name}"
        contenders = {("omiga", n): [str(args.steps), task, str(args.count), str(n)] for n in dict.fromkeys((1, cores))}
        counts = {"omiga": args.count}
        for envs in ENVIRONMENTS:
            counts[f"jaxmarl-{envs}"] = count = args.count // 10 if envs == 1 else args.count
            contenders[f"jaxmarl-{envs}", 1] = [sys.executable, str(HERE / "jaxmarl_steps.py"), name, str(envs), str(count)]
        found: dict[tuple[str, int], list[float]] = {key: [] for key in contenders}
        for _ in range(args.rounds):
            for (impl, threads), command in contenders.items():
                found[impl, threads].append(run(command, threads, "steps_per_processor_s"))
        medians = {key: statistics.median(rates) for key, rates in found.items()}
        best = max(medians[f"jaxmarl-{envs}", 1] for envs in ENVIRONMENTS)
        for (impl, threads), rate in medians.items():
            print(f"{task:16} {impl:12} {threads} thread{'s' if threads > 1 else ' '} {rate:10.0f} steps/s, "
                  f"{rate / best:6.2f}x jaxmarl's best", flush=True)
            rows.append({"task": task, "impl": impl, "threads": threads, "steps_per_s": round(rate, 1),
                         "steps": counts[impl], "rounds": args.rounds})
    replace_rows(args.out, rows)


if __name__ == "__main__":
    main()
