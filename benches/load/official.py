"""Times h5py and the copies that the official loader makes, in a process of its own; prints one line of JSON.

    python official.py target/bench/load-contiguous.hdf5

Written from the loader's description, not from its source: every key as a whole array, the rows that are steps picked
out of each, the next row's observations and states picked out as arrays of their own, and the mask.
"""

import json
import resource
import sys
import time

import h5py
import numpy as np


def load(path: str) -> dict[str, np.ndarray]:
    with h5py.File(path, "r") as file:
        s, o, a, r, d = (np.array(file[key]) for key in ("s", "o", "a", "r", "d"))
    steps = np.flatnonzero((d[:, 0] == 0) & (np.arange(len(d)) < len(d) - 1))
    return {
        "o": o[steps], "s": s[steps], "a": a[steps], "r": r[steps],
        "mask": 1 - d[steps + 1], "o_next": o[steps + 1], "s_next": s[steps + 1],
    }


def main() -> None:
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    data = load(sys.argv[1])
    seconds, used = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": used.ru_maxrss * 1024,
                      "transitions": len(data["r"])}))


if __name__ == "__main__":
    main()
