"""Does mpe2's simple_spread see what our environment recorded?

For every step of a dataset, mpe2's world is set to the state before it, read from the observations, and takes the
dataset's actions: observations and team reward must be the dataset's. Then whole episodes are played from their first
state alone, as far as the first contact: a contact is so stiff that it magnifies the rounding of that state to f32.
"""

import argparse
import json
import os
from itertools import combinations
from pathlib import Path

# mpe2 draws with pygame even when nobody looks.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import h5py
import numpy as np
from mpe2 import simple_spread_v3

from report import check, check_close, check_equal

TOLERANCE = 1e-5
N = 3
DIAMETER = 0.3


def set_world(env, obs: np.ndarray) -> None:
    """Put agents and landmarks where the observations [N, 18] say: velocity, position, landmarks relative to agent."""
    obs = obs.astype(np.float64)
    for agent, row in zip(env.world.agents, obs):
        agent.state.p_vel = row[0:2].copy()
        agent.state.p_pos = row[2:4].copy()
    for i, landmark in enumerate(env.world.landmarks):
        landmark.state.p_pos = obs[0, 2:4] + obs[0, 4 + 2 * i : 6 + 2 * i]


def observe(env) -> np.ndarray:
    return np.stack([env.observe(f"agent_{i}") for i in range(N)])


def step(env, actions: list) -> float:
    """All agents act; the team's reward is the mean of theirs."""
    for action in actions:
        env.step(action)
    return float(np.mean([env.rewards[f"agent_{i}"] for i in range(N)]))


def touches_by_a_hair(env) -> bool:
    """Is a pair so close to touching that rounding decides about the collision in the reward?"""
    places = [agent.state.p_pos for agent in env.world.agents]
    return any(abs(np.linalg.norm(a - b) - DIAMETER) < TOLERANCE for a, b in combinations(places, 2))


def nearest_pair(env) -> float:
    places = [agent.state.p_pos for agent in env.world.agents]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(places, 2))


class Replay:
    """Plays episodes and keeps the largest differences."""

    def __init__(self, continuous: bool, max_cycles: int, whole: bool) -> None:
        self.env = simple_spread_v3.raw_env(N=N, local_ratio=0.5, max_cycles=max_cycles, continuous_actions=continuous)
        self.whole = whole
        self.obs = self.reward = 0.0
        self.steps = self.contacts = self.undecided = 0

    def episode(self, obs: np.ndarray, actions: list[list], rewards: np.ndarray) -> None:
        """`obs` [L + 1, N, 18], `actions` [L][N], `rewards` [L]."""
        env = self.env
        env.reset(seed=0)
        set_world(env, obs[0])
        self.compare(obs[0])
        for t, action in enumerate(actions):
            if not self.whole:
                set_world(env, obs[t])
            reward = step(env, action)
            if self.whole and nearest_pair(env) < 1.2 * DIAMETER:
                return
            self.compare(obs[t + 1])
            self.steps += 1
            self.contacts += nearest_pair(env) < DIAMETER
            if touches_by_a_hair(env):
                self.undecided += 1
            else:
                self.reward = max(self.reward, abs(reward - float(rewards[t])))
            ended = all(env.truncations.values())
            if ended != (t + 1 == len(actions)):
                check(False, "mpe2 ends an episode where the dataset does", f"step {t + 1} of {len(actions)}")

    def compare(self, expected: np.ndarray) -> None:
        self.obs = max(self.obs, float(np.abs(observe(self.env) - expected).max()))

    def report(self, what: str) -> None:
        check(self.steps > 0, f"{what}: {self.steps} steps played by mpe2, {self.contacts} with contacts")
        check_close(self.obs, TOLERANCE, f"{what}: observations")
        check_close(self.reward, TOLERANCE, f"{what}: team reward")
        check(self.undecided * 100 <= self.steps, f"{what}: {self.undecided} rewards not compared, touching by a rounding")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, help="HDF5 file of the task spread or spread-discrete")
    path = parser.parse_args().dataset
    with h5py.File(path) as file:
        obs, actions, rewards, ends = (file[key][()] for key in ("o", "a", "r", "d"))
        header = json.loads(file.attrs["omiga"])
    continuous = header["task"]["name"] == "spread"
    check_equal(header["stored_obs"], {"kind": "raw"}, f"{path.name}: stored observations")
    check_equal(obs.shape[1:], (N, 18), f"{path.name}: agents and observation width")
    limit = header["task"]["episode_limit"]
    stepwise, whole = Replay(continuous, limit, whole=False), Replay(continuous, limit, whole=True)
    start, lasts = 0, np.flatnonzero(ends.reshape(-1))
    for last in lasts:
        if continuous:
            physical = ((actions[start:last].astype(np.float64) + 1) / 2).astype(np.float32)
            acts = [list(row) for row in physical]
        else:
            acts = [[int(choice) for choice in row.reshape(N)] for row in actions[start:last]]
        for replay in (stepwise, whole):
            replay.episode(obs[start : last + 1], acts, rewards.reshape(-1)[start:last])
        start = last + 1
    check(len(lasts) > 0, f"{path.name}: {len(lasts)} episodes, each ended by mpe2 at the same step")
    stepwise.report(f"{path.name}, every step")
    whole.report(f"{path.name}, whole episodes until a contact")


if __name__ == "__main__":
    main()
