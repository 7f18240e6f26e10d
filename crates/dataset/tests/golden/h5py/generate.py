"""Write the files beside this script with h5py: the variants of OMIGA's layout that exist in the wild.

    pip install h5py numpy && python generate.py

Written with h5py 3 and numpy 2. Everything is a function of the indices below, so the Rust test recomputes it.
"""

from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
N, O, A = 2, 3, 2
LENGTHS = [4, 3, 5]
ROWS = sum(LENGTHS) + len(LENGTHS)


def columns():
    """Values as exact binary fractions, so that f32 and f64 hold the same numbers."""
    row = np.arange(ROWS)[:, None, None]
    agent = np.arange(N)[None, :, None]
    o = row + agent / 4 + np.arange(O)[None, None, :] / 16
    a = ((row * 3 + agent * 5 + np.arange(A)[None, None, :]) % 9 - 4) / 4
    r = (np.arange(ROWS) % 5)[:, None] / 2
    d = np.zeros((ROWS, 1))
    d[np.cumsum(np.array(LENGTHS) + 1) - 1] = 1
    timeout = d.copy()
    timeout[LENGTHS[0]] = 0
    return {"s": o, "o": o, "a": a, "r": r, "d": d, "timeout": timeout}


def write(name, types, **options):
    with h5py.File(HERE / name, "w") as file:
        for key, values in columns().items():
            file.create_dataset(key, data=values.astype(types.get(key, types[""])), **options)


flags = {"d": "?", "timeout": "?"}
write("f32.hdf5", {"": "<f4"})
write("f64-bool-gzip.hdf5", {"": "<f8", **flags}, compression="gzip", chunks=True)
write("f32-lzf-shuffle.hdf5", {"": "<f4", "d": "<i8", "timeout": "|u1"}, compression="lzf", shuffle=True, chunks=True)
write("big-endian.hdf5", {"": ">f4", "d": ">i4"}, fletcher32=True, chunks=True)

# The newest format that the reader knows; HDF5 2.0 can write newer ones when asked for "latest".
with h5py.File(HERE / "v110-discrete.hdf5", "w", libver=("v110", "v110")) as file:
    c = columns()
    index = ((np.arange(ROWS)[:, None, None] + np.arange(N)[None, :, None]) % 3).astype("<i8")
    avail = np.ones((ROWS, N, 3), bool)
    alive = np.ones((ROWS, N), "<i4")
    for key, values in {"s": c["o"].reshape(ROWS, N * O)[:, :4].astype("<f4"), "o": c["o"].astype("<f4")}.items():
        file.create_dataset(key, data=values, maxshape=(None, *values.shape[1:]), chunks=(4, *values.shape[1:]))
    file.create_dataset("a", data=index, compression="gzip")
    file.create_dataset("avail", data=avail)
    file.create_dataset("alive", data=alive)
    file.create_dataset("r", data=c["r"][:, 0].astype("<f4"))
    file.create_dataset("d", data=c["d"][:, 0].astype(bool))
    file.create_dataset("timeout", data=c["timeout"][:, 0].astype(bool))
