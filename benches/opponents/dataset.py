"""A dataset of a task's shapes for `omiga train`: HDF5 in OMIGA's layout (keys `s`, `o`, `a`, `r`, `d`, `avail`).

    python dataset.py --task smac-like --out target/bench/smac-like.hdf5
"""

import argparse
from pathlib import Path

import h5py
import numpy as np

from tasks import TASKS, Task, columns

STEPS = 100  # of an episode; its last row is the state after the last step


def write(task: Task, path: Path, rows: int = 20_200, seed: int = 0) -> None:
    """Random episodes: `rows` rows of which one in 101 is an episode's last state."""
    if rows % (STEPS + 1):
        raise ValueError(f"{rows} rows are no whole number of episodes of {STEPS + 1} rows")
    data = columns(task, rows, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["o"] = data["obs"]
        file["s"] = data["state"].reshape(rows, task.n_agents, -1) if task.discrete else data["obs"]
        file["a"] = data["actions"][..., None] if task.discrete else data["actions"]
        file["r"] = data["rewards"][:, None]
        file["d"] = (np.arange(rows) % (STEPS + 1) == STEPS).astype(np.float32)[:, None]
        if task.discrete:
            file["avail"] = data["action_mask"].astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    write(TASKS[args.task], args.out)


if __name__ == "__main__":
    main()
