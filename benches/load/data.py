"""A dataset of the official files' shape: HalfCheetah 6x1, a million transitions, `s` equal to `o`, no `timeout`.

    python data.py --layout contiguous --out target/bench/load-contiguous.hdf5

An episode has 1000 steps and one row more. An observation is 17 numbers and the agent's one-hot id, standardised by its
own mean and deviation, as in the official files. Written block by block.
"""

import argparse
from pathlib import Path

import h5py
import numpy as np

AGENTS, RAW, STEPS = 6, 17, 1000
LAYOUTS = {
    "contiguous": {},
    "chunked": {"chunks": True},
    "gzip": {"chunks": True, "compression": "gzip"},
    "lzf": {"chunks": True, "compression": "lzf", "shuffle": True},
    "f64": {},
}
BLOCK = 7 * (STEPS + 1)  # rows


def observations(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Standardised [rows, N, RAW + N]."""
    x = np.zeros((rows, AGENTS, RAW + AGENTS), np.float32)
    x[:, :, :RAW] = rng.standard_normal((rows, AGENTS, RAW), np.float32) * np.linspace(0.1, 5, RAW, dtype=np.float32)
    x[:, np.arange(AGENTS), RAW + np.arange(AGENTS)] = 1
    return (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)


def write(path: Path, layout: str, episodes: int) -> int:
    """Returns the rows."""
    rows, rng = episodes * (STEPS + 1), np.random.default_rng(0)
    dtype = np.float64 if layout == "f64" else np.float32
    widths = {"s": (AGENTS, RAW + AGENTS), "o": (AGENTS, RAW + AGENTS), "a": (AGENTS, 1), "r": (1,), "d": (1,)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    with h5py.File(partial, "w") as file:
        columns = {key: file.create_dataset(key, (rows, *width), dtype, **LAYOUTS[layout])
                   for key, width in widths.items()}
        for first in range(0, rows, BLOCK):
            n = min(BLOCK, rows - first)
            block = {
                "o": observations(rng, n),
                "a": rng.uniform(-1, 1, (n, AGENTS, 1)),
                "r": rng.standard_normal((n, 1)),
                "d": (np.arange(first, first + n) % (STEPS + 1) == STEPS)[:, None],
            }
            block["s"] = block["o"]
            for key, values in block.items():
                columns[key][first : first + n] = values
    partial.replace(path)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layout", choices=LAYOUTS, default="contiguous")
    parser.add_argument("--episodes", type=int, default=1000, help="of 1000 steps")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    write(args.out, args.layout, args.episodes)


if __name__ == "__main__":
    main()
