"""Loading a million transitions: ours in memory, ours on disk, and h5py with the official loader's copies; of a vault of five
agents flashbax's own reading instead; of a table its steps in memory beside the arrays of pandas or pyarrow, and its import into a file beside theirs and h5py.

Every measurement is a process of its own; they alternate, after one round that only warms the page cache. Writes rows
{layout, impl, seconds, cpu_seconds, hash_seconds, peak_bytes, unique_f32_bytes, batch_us} to `--out`; `cpu_seconds` is what all cores
worked for `seconds`, which a busy machine changes least; `batch_us` is a batch of 128.

    python compare.py --load target/release/examples/load --import target/release/examples/import \
        --flashbax target/flashbax-venv/bin/python --tables target/load-tables-venv/bin/python --rounds 5
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
TABLE_ROW = 5 * (8 + 2) + 2  # and of one of `table.py`


def run(command: list[str]) -> dict[str, float]:
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"compare: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def measure(commands: dict[str, list[str]], rounds: int) -> dict[str, dict[str, float]]:
    """Medians of each implementation."""
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


class Case:
    """A layout: its file, who reads it, and which of them is the peer."""

    def __init__(self, layout: str, args: argparse.Namespace):
        self.layout, self.args, self.folder = layout, args, args.out.parent
        self.file = self.folder / {
            "vault": f"load-{args.episodes}.vlt", "csv": f"load-{args.episodes}.csv",
            "parquet": f"load-{args.episodes}.parquet"}.get(layout, f"load-{layout}-{args.episodes}.hdf5")
        self.python = {"vault": [str(args.flashbax), str(HERE / "vault.py")]}.get(
            layout, [str(args.tables), str(HERE / "table.py")])
        self.is_table = layout in ("csv", "parquet")
        self.peer = {"vault": "flashbax", "csv": "pandas", "parquet": "pyarrow"}.get(layout, "h5py")
        steps = args.episodes * STEPS
        self.unique = 4 * {"vault": steps * VAULT_ROW, "csv": steps * TABLE_ROW, "parquet": steps * TABLE_ROW}.get(
            layout, args.episodes * (STEPS + 1) * ROW)

    def make(self) -> None:
        if self.file.exists():
            return
        print(f"compare: writing {self.file}", flush=True)
        if self.layout == "vault":
            subprocess.run([*self.python, "write", str(self.file), "--episodes", str(self.args.episodes)], check=True)
        elif self.is_table:
            steps = self.args.episodes * STEPS
            subprocess.run([*self.python, "write", str(self.file), "--steps", str(steps)], check=True)
        else:
            write(self.file, self.layout, self.args.episodes)

    def commands(self) -> dict[str, list[str]]:
        file, load, out = str(self.file), str(self.args.load), str(self.folder / "load-out.hdf5")
        if self.is_table:
            table = [str(getattr(self.args, "import")), file, file + ".toml"]
            return {
                "omiga": table,
                "omiga-import": [*table, out],
                self.peer: [*self.python, "read", file],
                f"{self.peer}+h5py": [*self.python, "read", file, out],
            }
        own = {"omiga": [load, file], "omiga-disk": [load, file, str(self.folder)]}
        if self.layout == "vault":
            return {**own, self.peer: [*self.python, "read", file]}
        return {**own, self.peer: [sys.executable, str(HERE / "official.py"), file]}

    def rows(self) -> list[dict]:
        """What is measured, said line by line."""
        parts = [self.file] if self.file.is_file() else self.file.rglob("*")
        size = sum(part.stat().st_size for part in parts if part.is_file())
        print(f"{self.layout}: {self.args.episodes * STEPS} transitions, {self.unique / 1e6:.0f} MB of unique f32 values, "
              f"on disk {size / 1e6:.0f} MB")
        medians, rows = measure(self.commands(), self.args.rounds), []
        # A vault's peer only reads; what training does to the rows then is no part of that.
        prefix = "read_" if self.layout == "vault" else ""
        times = {impl: {key: m.get(prefix + key, m.get(key)) for key in ("seconds", "cpu_seconds")} for impl, m in medians.items()}
        theirs = times[self.peer]
        for impl, m in medians.items():
            seconds, cpu = times[impl]["seconds"], times[impl]["cpu_seconds"]
            line = f"{self.layout:11} {impl:13} {seconds:7.3f} s ({theirs['seconds'] / seconds:5.2f} x as fast as {self.peer})"
            if cpu and theirs["cpu_seconds"]:
                line += f", cores {cpu:.2f} s ({theirs['cpu_seconds'] / cpu:.2f} x)"
            line += f", peak {m['peak_bytes'] / 1e6:6.0f} MB ({m['peak_bytes'] / self.unique:5.3f} x unique)"
            if "batch_us" in m:
                line += f", with the hash {m['hash_seconds']:.3f} s, a batch {m['batch_us']:.0f} us"
            print(line, flush=True)
            rows.append({"layout": self.layout, "impl": impl, "seconds": seconds, "cpu_seconds": cpu,
                         "hash_seconds": m.get("hash_seconds"), "peak_bytes": m["peak_bytes"],
                         "unique_f32_bytes": self.unique, "batch_us": m.get("batch_us")})
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--load", type=Path, required=True, help="the example `load`, a release build")
    parser.add_argument("--import", type=Path, required=True, help="the example `import`, a release build")
    parser.add_argument("--out", type=Path, default=Path("target/bench/load.json"))
    parser.add_argument("--flashbax", type=Path, default=Path("target/flashbax-venv/bin/python"), help="a Python that has it")
    parser.add_argument("--tables", type=Path, default=Path("target/load-tables-venv/bin/python"),
                        help="a Python that has pandas, pyarrow and h5py")
    parser.add_argument("--layout", action="append", choices=[*LAYOUTS, "vault", "csv", "parquet"],
                        help="default: all that the page shows, contiguous, gzip, vault, csv and parquet")
    parser.add_argument("--episodes", type=int, default=1000, help="of 1000 steps")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if min(args.rounds, args.episodes) < 1:
        parser.error("--rounds and --episodes are at least 1")

    rows = []
    for layout in args.layout or ["contiguous", "gzip", "vault", "csv", "parquet"]:
        case = Case(layout, args)
        case.make()
        rows += case.rows()
    write_rows(args.out, rows)


if __name__ == "__main__":
    main()
