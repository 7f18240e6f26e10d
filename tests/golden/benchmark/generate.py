"""A dataset in the form of OMIGA's own multi-agent MuJoCo files, and what NumPy finds in it, for tests/paper_data.rs.

    python3 -m venv venv && venv/bin/pip install 'gymnasium[mujoco]==1.4.0' mujoco==3.17.0 h5py && venv/bin/python generate.py

No header, no `timeout`; an agent's `o` is the whole observation with its number as one of N behind, standardised by its own mean and
deviation; `s` is the same; an episode's last row has `d` = 1 and no action or reward. Hopper, 3 agents, uniform actions, each of which
lasts two steps.
"""

import json
from pathlib import Path

import gymnasium
import h5py
import numpy as np

HERE = Path(__file__).resolve().parent
N, EPISODES = 3, 12


def seen(obs: np.ndarray) -> np.ndarray:
    """What each agent observes, [N, O + N]."""
    rows = np.concatenate([np.tile(obs, (N, 1)), np.eye(N)], axis=1)
    return (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)


def main() -> None:
    env, rng = gymnasium.make("Hopper-v5"), np.random.default_rng(0)
    rows: dict[str, list] = {key: [] for key in "oard"}
    returns = []

    def row(obs: np.ndarray, action: np.ndarray, reward: float, last: bool) -> None:
        for key, value in zip("oard", (seen(obs), action, [reward], [last])):
            rows[key].append(value)

    for episode in range(EPISODES):
        obs, _ = env.reset(seed=episode)
        returns.append(0.0)
        over, step = False, 0
        while not over:
            if step % 2 == 0:
                action = rng.uniform(-1, 1, (N, 1)).astype(np.float32)
            after, reward, terminated, truncated, _ = env.step(action.ravel().astype(np.float64))
            row(obs, action, reward, False)
            obs, over, step = after, terminated or truncated, step + 1
            returns[-1] += float(np.float32(reward))
        row(obs, np.zeros((N, 1)), 0.0, True)

    columns = {key: np.array(values, dtype=np.float32) for key, values in rows.items()}
    with h5py.File(HERE / "Hopper-v5-3x1-random.hdf5", "w") as file:
        for key, values in (columns | {"s": columns["o"]}).items():
            file.create_dataset(key, data=values, compression="gzip")
    card = {"file": "Hopper-v5-3x1-random.hdf5", "agents": N, "rows": len(columns["d"]), "episodes": EPISODES,
            "transitions": len(columns["d"]) - EPISODES, "timeouts": 0, "return_mean": np.mean(returns),
            "return_std": np.std(returns), "return_min": min(returns), "return_max": max(returns)}
    (HERE / "cards.json").write_text(json.dumps([card], indent=1) + "\n")


if __name__ == "__main__":
    main()
