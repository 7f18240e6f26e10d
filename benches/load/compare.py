"""Loading a million transitions: ours in memory, ours on disk, and h5py with the official loader's copies; of a vault of five
agents flashbax's own reading instead.

Every measurement is a process of its own; they alternate, after one round that only warms the page cache. Writes rows
{layout, impl, seconds, hash_seconds, peak_bytes, unique_f32_bytes, batch_us} to `--out`; `batch_us` is a batch of 128.

    python compare.py --load target/release/examples/load --flashbax target/flashbax-venv/bin/python --rounds 5
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from data import AGENTS, LAYOUTS, RAW, STEPS, write

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from whole_files import write_rows  # noqa: E402

HERE = Path(__file__).resolve().parent
ROW = AGENTS * (RAW + AGENTS) + AGENTS + 2  # f32 values of a row that are not repeated: o, a, r, d
VAULT_ROW = 5 * (18 + 2) + 30 + 2  # the same of a step of `vault.py`, which this Python cannot import


def run(command: list[str]) -> dict[str, float]:
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"compare: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def measure(load: Path, file: Path, rounds: int, peer: dict[str, list[str]]) -> dict[str, dict[str, float]]:
    """Medians of each implementation."""
    commands = {"omiga": [str(load), str(file)], "omiga-disk": [str(load), str(file), str(file.parent)], **peer}
    found: dict[str, list[dict[str, float]]] = {impl: [] for impl in commands}
    for i in range(rounds + 1):
        for impl, command in commands.items():
            result = run(command)
            if i:
                found[impl].append(result)
    counts = {results[0]["transitions"] for results in found.values()}
    if len(counts) != 1:
        sys.exit(f"compare: not the same transitions: {counts}")
    return {impl: {key: statistics.median(r[key] for r in results) for key in results[0]}
            for impl, results in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--load", type=Path, required=True, help="the example `load`, a release build")
    parser.add_argument("--out", type=Path, default=Path("target/bench/load.json"))
    parser.add_argument("--flashbax", type=Path, default=Path("target/flashbax-venv/bin/python"), help="a Python that has it")
    parser.add_argument("--layout", action="append", choices=[*LAYOUTS, "vault"],
                        help="default: all that the page shows, contiguous, gzip and vault")
    parser.add_argument("--episodes", type=int, default=1000, help="of 1000 steps")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if min(args.rounds, args.episodes) < 1:
        parser.error("--rounds and --episodes are at least 1")

    rows = []
    for layout in args.layout or ["contiguous", "gzip", "vault"]:
        is_vault = layout == "vault"
        file = args.out.parent / (f"load-{args.episodes}.vlt" if is_vault else f"load-{layout}-{args.episodes}.hdf5")
        vault = [str(args.flashbax), str(HERE / "vault.py")]
        if not file.exists():
            print(f"compare: writing {file}", flush=True)
            if is_vault:
                subprocess.run([*vault, "write", str(file), "--episodes", str(args.episodes)], check=True)
            else:
                write(file, layout, args.episodes)
        unique = args.episodes * (STEPS * VAULT_ROW if is_vault else (STEPS + 1) * ROW) * 4
        size = sum(part.stat().st_size for part in ([file] if file.is_file() else file.rglob("*")) if part.is_file())
        print(f"{layout}: {args.episodes * STEPS} transitions, {unique / 1e6:.0f} MB of unique f32 values, "
              f"on disk {size / 1e6:.0f} MB")
        peer = "flashbax" if is_vault else "h5py"
        command = [*vault, "read", str(file)] if is_vault else [sys.executable, str(HERE / "official.py"), str(file)]
        medians = measure(args.load, file, args.rounds, {peer: command})
        theirs = medians[peer]["seconds"]
        for impl, m in medians.items():
            # A vault's peer only reads; what training does to the rows then is no part of that.
            seconds = m.get("read_seconds", m["seconds"]) if is_vault else m["seconds"]
            line = (f"{layout:11} {impl:11} {seconds:7.3f} s ({theirs / seconds:5.2f} x as fast as {peer}), "
                    f"peak {m['peak_bytes'] / 1e6:6.0f} MB ({m['peak_bytes'] / unique:5.3f} x unique)")
            if "batch_us" in m:
                line += f", with the hash {m['hash_seconds']:.3f} s, a batch {m['batch_us']:.0f} us"
            print(line, flush=True)
            rows.append({"layout": layout, "impl": impl, "seconds": seconds,
                         "hash_seconds": m.get("hash_seconds"), "peak_bytes": m["peak_bytes"],
                         "unique_f32_bytes": unique, "batch_us": m.get("batch_us")})
    write_rows(args.out, rows)


if __name__ == "__main__":
    main()
