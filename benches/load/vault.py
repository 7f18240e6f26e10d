"""A vault of a million steps of five agents, as flashbax writes it, and the time that flashbax takes to read it.

    python vault.py write target/bench/load-1000.vlt --episodes 1000
    python vault.py read target/bench/load-1000.vlt

Reading is `Vault.read`, in a process of its own, without the time that the imports take; it prints one line of JSON.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
from flashbax.buffers.trajectory_buffer import TrajectoryBufferState
from flashbax.vault import Vault

AGENTS, OBS, ACTIONS, STATE, STEPS = 5, 18, 2, 30, 1000
UID = "Good"
BLOCK = 20  # episodes


def block(rng: np.random.Generator, episodes: int) -> dict:
    """Steps of so many episodes, each ended by itself."""
    rows = episodes * STEPS
    normal = lambda *shape: rng.standard_normal((1, rows, *shape), np.float32)
    ends = np.broadcast_to((np.arange(rows) % STEPS == STEPS - 1)[None, :, None], (1, rows, AGENTS))
    return {
        "observations": normal(AGENTS, OBS),
        "actions": rng.uniform(-1, 1, (1, rows, AGENTS, ACTIONS)).astype(np.float32),
        "rewards": np.repeat(normal(1), AGENTS, axis=2),
        "terminals": ends.copy(),
        "truncations": np.zeros_like(ends),
        "infos": {"state": normal(STATE)},
    }


def open_vault(path: Path, structure: dict | None = None) -> Vault:
    with contextlib.redirect_stdout(io.StringIO()):
        return Vault(vault_name=path.name, vault_uid=UID, rel_dir=str(path.parent.resolve()), experience_structure=structure)


def write(path: Path, episodes: int) -> None:
    rng, partial = np.random.default_rng(0), path.with_suffix(".partial.vlt")
    vault = open_vault(partial, block(rng, 1))
    for first in range(0, episodes, BLOCK):
        steps = block(rng, min(BLOCK, episodes - first))
        rows = steps["rewards"].shape[1]
        vault.write(TrajectoryBufferState(experience=steps, is_full=False, current_index=rows), source_interval=(0, rows))
    partial.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["write", "read"])
    parser.add_argument("vault", type=Path)
    parser.add_argument("--episodes", type=int, default=1000, help=f"of {STEPS} steps")
    args = parser.parse_args()
    if args.what == "write":
        write(args.vault, args.episodes)
        return
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    experience = open_vault(args.vault).read().experience
    rewards = np.asarray(experience["rewards"])
    seconds, used = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": used.ru_maxrss * 1024,
                      "transitions": rewards.shape[1]}))


if __name__ == "__main__":
    main()
