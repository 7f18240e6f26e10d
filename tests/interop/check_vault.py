"""Does flashbax read the vault that `omiga convert` wrote, row for row, and go on writing to it?

The dataset that was converted is read by h5py: an episode's last row has d = 1 and is no step, so a vault has no row for it.

    python check_vault.py data.hdf5 data.vlt
"""

import argparse
import contextlib
import io
import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import flashbax
import h5py
import jax.numpy as jnp
import numpy as np
from flashbax.vault import Vault

from report import check, check_equal


def expected(path: Path) -> dict[str, np.ndarray]:
    """What a vault of this dataset holds, by dotted names."""
    with h5py.File(path) as file:
        columns = {key: file[key][()] for key in file if key != "metrics"}
        shared = file["s"] == file["o"]
    ends, rows = columns["d"].reshape(-1) == 1, np.flatnonzero(columns["d"].reshape(-1) == 0)
    n = columns["o"].shape[1]
    last, timeout = ends[rows + 1], columns["timeout"].reshape(-1)[rows + 1] == 1
    every = lambda flags: np.repeat(flags[:, None], n, axis=1)
    found = {
        "observations": columns["o"][rows],
        "actions": columns["a"][rows],
        "rewards": np.repeat(columns["r"].reshape(-1, 1)[rows], n, axis=1),
        "terminals": every(last & ~timeout),
        "truncations": every(last & timeout),
    }
    if np.issubdtype(columns["a"].dtype, np.integer):
        found["actions"] = found["actions"].reshape(len(rows), n)
    if not shared:
        found["infos.state"] = columns["s"][rows].reshape(len(rows), -1)
    if "alive" in columns:
        # Who died has terminated; the dead stay dead.
        found["terminals"] |= columns["alive"][rows + 1].reshape(len(rows), n) == 0
    if "avail" in columns:
        found["infos.legals"] = columns["avail"][rows] == 1
    return found


def flat(tree: dict, prefix: str = "") -> dict[str, np.ndarray]:
    leaves = {}
    for name, value in tree.items():
        leaves |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: np.asarray(value)[0]}
    return leaves


def open_vault(path: Path) -> Vault:
    with contextlib.redirect_stdout(io.StringIO()):
        (uid,) = [folder.name for folder in path.iterdir()]
        return Vault(vault_name=path.name, vault_uid=uid, rel_dir=str(path.parent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("vault", type=Path)
    args = parser.parse_args()
    wanted = expected(args.data)
    found = flat(open_vault(args.vault).read().experience)
    check_equal(sorted(found), sorted(wanted), "leaves of the vault")
    for name, values in wanted.items():
        if name == "observations":
            # What an agent does not observe is -inf in a vault, and 0 in the file.
            found[name] = np.where(np.isneginf(found[name]), 0, found[name])
        same = values.shape == found[name].shape and values.tobytes() == found[name].astype(values.dtype).tobytes()
        check(same, f"{name}: {values.shape} of {values.dtype}, every bit")

    # Who has a vault goes on recording to it.
    first = {name: values[0] for name, values in found.items()}
    step: dict = {"infos": {}}
    for name, value in first.items():
        target, key = (step["infos"], name.split(".")[1]) if "." in name else (step, name)
        target[key] = jnp.asarray(value)
    if not step["infos"]:
        del step["infos"]
    buffer = flashbax.make_trajectory_buffer(
        add_batch_size=1, sample_batch_size=1, sample_sequence_length=1, period=1, min_length_time_axis=1, max_size=16)
    state = buffer.init(step)
    state = buffer.add(state, {k: jnp.asarray(v)[None, None] if not isinstance(v, dict)
                               else {i: jnp.asarray(w)[None, None] for i, w in v.items()} for k, v in step.items()})
    vault = open_vault(args.vault)
    with contextlib.redirect_stdout(io.StringIO()):
        vault.write(state)
    longer = flat(open_vault(args.vault).read().experience)
    follows = [len(longer[name]) == len(values) + 1 and (longer[name][-1] == first[name]).all() and
               (longer[name][0] == first[name]).all() for name, values in wanted.items() if name != "observations"]
    check(all(follows), "a row written behind it by flashbax")


if __name__ == "__main__":
    main()
