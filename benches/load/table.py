"""A log of two drives as CSV or Parquet with its map, and the time that pandas or pyarrow takes to make arrays of it.

    python table.py write target/bench/load-1000.csv --steps 1000000
    python table.py read target/bench/load-1000.csv [OUT.hdf5]

Reading is pandas' default reader of CSV, or pyarrow's of Parquet, and the arrays that a learner needs: observations, actions, rewards,
states, where episodes end. With OUT they are written by h5py, shuffled and deflated as ours are; without, they are held in memory.
It prints one line of JSON, without the time that the imports take.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np

AGENTS, OBS, ACTIONS, LENGTH = 5, 8, 2, 1000
BLOCK = 100 * LENGTH  # rows
FIELDS = [f"a{agent}.x{i}" for agent in range(AGENTS) for i in range(OBS)]
COMMANDS = [f"a{agent}.u{i}" for agent in range(AGENTS) for i in range(ACTIONS)]


def map_text() -> str:
    agents = ', '.join(f'"a{agent}"' for agent in range(AGENTS))
    lines = ["[task]", 'name = "plant"', f"agents = [{agents}]"]
    lines += ["[episode]", 'column = "episode"', "[reward]", 'value = "reward"', "[time]", 'column = "t"']
    for i in range(OBS):
        lines += ["[[obs]]", f'name = "x{i}"', f'column = "*.x{i}"']
    for i in range(ACTIONS):
        lines += ["[[action]]", f'name = "u{i}"', f'column = "*.u{i}"', "range = [-1, 1]"]
    return "\n".join(lines) + "\n"


def block(rng: np.random.Generator, first: int, rows: int):
    import pandas as pd

    row = np.arange(first, first + rows)
    columns = {"episode": row // LENGTH, "t": (row % LENGTH) / 10}
    columns |= {name: rng.standard_normal(rows, np.float32) for name in FIELDS}
    columns |= {name: rng.uniform(-1, 1, rows).astype(np.float32) for name in COMMANDS}
    columns["reward"] = rng.standard_normal(rows, np.float32)
    return pd.DataFrame(columns)


def write(path: Path, steps: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.with_suffix(path.suffix + ".toml").write_text(map_text())
    rng, partial, parquet = np.random.default_rng(0), path.with_suffix(".partial"), None
    for first in range(0, steps, BLOCK):
        frame = block(rng, first, min(BLOCK, steps - first))
        if path.suffix == ".csv":
            frame.to_csv(partial, index=False, header=first == 0, mode="a" if first else "w")
        else:
            table = pa.Table.from_pandas(frame, preserve_index=False)
            parquet = parquet or pq.ParquetWriter(partial, table.schema)
            parquet.write_table(table)
    if parquet:
        parquet.close()
    partial.rename(path)


def arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".csv":
        import pandas as pd

        frame = pd.read_csv(path)
        column = lambda name: frame[name].to_numpy()
        wide = lambda names: frame[names].to_numpy(np.float32)
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        column = lambda name: table[name].to_numpy()
        wide = lambda names: np.stack([column(name) for name in names], 1)
    episode, rows = column("episode"), len(column("episode"))
    obs = wide(FIELDS).reshape(rows, AGENTS, OBS)
    return {
        "o": obs, "a": wide(COMMANDS).reshape(rows, AGENTS, ACTIONS), "r": column("reward").astype(np.float32),
        "d": np.append(episode[1:] != episode[:-1], True), "t": column("t"),
    }


def store(data: dict[str, np.ndarray], out: Path) -> None:
    import h5py

    with h5py.File(out, "w") as file:
        for key, values in data.items():
            file.create_dataset(key, data=values, chunks=True, shuffle=True, compression="gzip", compression_opts=1)
        file["s"] = file["o"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["write", "read"])
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--steps", type=int, default=1_000_000)
    args = parser.parse_args()
    if args.what == "write":
        write(args.table, args.steps)
        return
    import h5py  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    data = arrays(args.table)
    if args.out:
        store(data, args.out)
    seconds, used = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    # Nobody knows where the last command of an episode led.
    transitions = len(data["d"]) - int(data["d"].sum())
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": used.ru_maxrss * 1024,
                      "transitions": transitions}))


if __name__ == "__main__":
    main()
