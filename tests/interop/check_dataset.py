"""Can anybody read our dataset, and do they count what `omiga inspect` counts?

h5py reads the file, and a loader written from the format's description (not from our reader) pairs the rows: keys
o, s, a, r, d; an episode's last row has d = 1 and is a state, not a step; a transition is a row with d = 0 that has a
row after it.
"""

import argparse
import hashlib
import itertools
import json
from pathlib import Path

import h5py
import numpy as np

from report import check, check_equal


def load(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """All columns of the file and the header in its root attribute."""
    with h5py.File(path) as file:
        return {key: file[key][()] for key in file}, json.loads(file.attrs["omiga"])


def transitions(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The format's plain loader: `next` rows, and `mask` 0 where the next row is a last state."""
    ends = columns["d"].reshape(-1)
    rows = np.flatnonzero(ends[:-1] == 0)
    return {
        "rows": rows,
        "obs": columns["o"][rows],
        "next_obs": columns["o"][rows + 1],
        "rewards": columns["r"].reshape(-1)[rows],
        "mask": 1 - ends[rows + 1],
    }


def distribution(values: np.ndarray) -> dict[str, float]:
    values = values.astype(np.float64)
    return {"mean": values.mean(), "std": values.std(), "min": values.min(), "max": values.max()}


def check_distribution(found: dict, values: np.ndarray, what: str) -> None:
    """The card's numbers are numpy's, to nine digits of the largest."""
    expected = distribution(values)
    scale = max(1.0, *(abs(v) for v in expected.values()))
    worst = max(abs(found[k] - v) for k, v in expected.items())
    text = ", ".join(f"{k} {v:.4f}" for k, v in expected.items())
    check(worst <= 1e-9 * scale, f"{what}: {text}", f"found {found}")


def check_columns(name: str, columns: dict[str, np.ndarray], header: dict) -> None:
    """Keys, shapes and element types are those of the format."""
    task = header["task"]
    first = task["agents"][0]
    n, width = len(task["agents"]), max(len(agent["obs"]) for agent in task["agents"])
    discrete = "discrete" in first["action"]
    rows = len(columns["d"])
    choices = len(first["action"]["discrete" if discrete else "continuous"])
    shapes = {"o": (rows, n, width), "a": (rows, n, 1 if discrete else choices), "r": (rows, 1), "d": (rows, 1)}
    for key, shape in (shapes | {"timeout": (rows, 1)}).items():
        check_equal(columns[key].shape, shape, f"{name}: shape of `{key}`")
    local = "-local" in task["name"]  # there the state is the whole robot, for each agent
    check_equal(columns["s"].shape, (rows, n, columns["s"].shape[2] if local else width), f"{name}: shape of `s`")
    check(columns["s"].shape[2] > width or not local, f"{name}: the state is wider than observations, if they are local")
    for key in ("o", "s", "r"):
        check_equal(columns[key].dtype.kind, "f", f"{name}: kind of `{key}`")
    check_equal(columns["a"].dtype.kind, "i" if discrete else "f", f"{name}: kind of `a`")
    if "metrics" in header:
        shape = (int(columns["d"].sum()), len(header["metrics"]))
        check_equal(columns["metrics"].shape, shape, f"{name}: shape of `metrics`")
    for key, column in columns.items():
        check(bool(np.isfinite(column).all()), f"{name}: `{key}` is finite")
    check(bool(np.isin(columns["d"], (0, 1)).all() and columns["d"][-1] == 1), f"{name}: `d` is 0 or 1 and ends with 1")
    low, high = (0, choices - 1) if discrete else (-1, 1)
    check(bool((columns["a"] >= low).all() and (columns["a"] <= high).all()), f"{name}: actions within [{low}, {high}]")
    if discrete:
        taken = np.take_along_axis(columns["avail"], columns["a"], axis=2)[columns["d"].reshape(-1) == 0]
        check(bool((taken == 1).all()), f"{name}: every action taken was available")


def field_names(task: dict) -> list[str]:
    """What the agents call each field: all names if there are at most three, else the first."""
    columns = itertools.zip_longest(*([field["name"] for field in agent["obs"]] for agent in task["agents"]))
    names = [list(dict.fromkeys(name for name in column if name)) for column in columns]
    return ["|".join(few) if len(few) <= 3 else f"{few[0]}|.." for few in names]


def check_card(name: str, columns: dict[str, np.ndarray], header: dict, card: dict) -> None:
    """`omiga inspect` counts what the plain loader counts."""
    plain = transitions(columns)
    ends = np.flatnonzero(columns["d"].reshape(-1) == 1)
    timeouts = int(columns["timeout"].reshape(-1)[ends].sum())
    counts = {
        "task": header["task"]["name"],
        "rows": len(columns["d"]),
        "episodes": len(ends),
        "transitions": len(plain["rows"]),
        "timeouts": timeouts,
        "terminations": len(ends) - timeouts,
        "agents": columns["o"].shape[1],
        "obs_dim": columns["o"].shape[2],
        "state_dim": columns["s"].shape[1] * columns["s"].shape[2],
    }
    for key, count in counts.items():
        check_equal(card[key], count, f"{name}: {key}")
    check_equal(int((plain["mask"] == 0).sum()), len(ends), f"{name}: transitions into a last state")
    check_equal(card["repaired"], [], f"{name}: repaired on loading")

    if card["action_kind"] == "continuous":
        at_bounds = float((np.abs(columns["a"][plain["rows"]]) >= 1).mean())
        check(abs(card["actions_at_bounds"] - at_bounds) < 1e-12, f"{name}: actions at their bounds: {at_bounds:.4f}")
    starts = np.concatenate([[0], ends[:-1] + 1])
    rewards = columns["r"].reshape(-1).astype(np.float64)
    check_distribution(card["returns"], np.array([rewards[a:b].sum() for a, b in zip(starts, ends)]), f"{name}: returns")
    check_distribution(card["lengths"], ends - starts, f"{name}: lengths")
    check_equal([found["name"] for found in card.get("metrics", [])], [m["name"] for m in header.get("metrics", [])], f"{name}: metrics")
    for i, found in enumerate(card.get("metrics", [])):
        check_distribution(found["values"], columns["metrics"][:, i], f"{name}: metric {found['name']}")
    check_equal([field["name"] for field in card["fields"]], field_names(header["task"]), f"{name}: fields")
    for i, field in enumerate(card["fields"]):
        check_distribution(field["values"], plain["obs"][:, :, i], f"{name}: field {field['name']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, help="HDF5 file written by `omiga collect`")
    parser.add_argument("--card", type=Path, required=True, help="output of `omiga inspect --json` for it")
    args = parser.parse_args()
    name, card = args.dataset.name, json.loads(args.card.read_text())
    columns, header = load(args.dataset)
    check(True, f"{name}: h5py {h5py.__version__} reads {', '.join(sorted(columns))}")
    check_equal(card["file"], name, f"{name}: file of the card")
    check_equal(card["sha256"], hashlib.sha256(args.dataset.read_bytes()).hexdigest(), f"{name}: sha256 of the card")
    check_columns(name, columns, header)
    check_card(name, columns, header, card)


if __name__ == "__main__":
    main()
