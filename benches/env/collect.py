"""Seconds and peak memory of `omiga collect` recording a million transitions, its file included.

Writes rows {task, threads, transitions, seconds, peak_mb, file_mb} to `--out`, medians of the rounds.

    python collect.py --omiga target/release/omiga
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from whole_files import write_rows  # noqa: E402

TASK, EPISODES = "halfcheetah-6x1", 1000
MB = 1e6


def collect(omiga: Path, threads: int, out: Path) -> tuple[float, float, int]:
    """Seconds, peak memory in megabytes, and transitions."""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    command = [str(omiga), "collect", "--task", TASK, "--quality", "medium", "--episodes", str(EPISODES),
               "--threads", str(threads), "--out", str(out), "--force", "--json"]
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    card = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"collect: {' '.join(command)} failed")
    # Linux counts in KiB.
    return time.perf_counter() - begin, usage.ru_maxrss * 1024 / MB, json.loads(card)["transitions"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--omiga", type=Path, required=True, help="the program, built with mujoco")
    parser.add_argument("--out", type=Path, default=Path("target/bench/collect.json"))
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds is at least 1")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.hdf5"
        for threads in dict.fromkeys((1, len(os.sched_getaffinity(0)))):
            found = [collect(args.omiga, threads, data) for _ in range(args.rounds)]
            seconds, peak = (statistics.median(run[i] for run in found) for i in (0, 1))
            print(f"{TASK}: {found[0][2]} transitions, {threads} threads: {seconds:.1f} s, {peak:.0f} MB", flush=True)
            rows.append({"task": TASK, "threads": threads, "transitions": found[0][2], "seconds": round(seconds, 1),
                         "peak_mb": round(peak), "file_mb": round(data.stat().st_size / MB)})
    write_rows(args.out, rows)


if __name__ == "__main__":
    main()
