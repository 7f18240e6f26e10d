"""Small parallel environments that do what real ones do at other moments."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from pettingzoo import ParallelEnv


class Faulty:
    """An environment whose steps return something else: `fault` changes observations and rewards."""

    def __init__(self, env: Any, fault: Any) -> None:
        self._env, self._fault = env, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def step(self, actions: dict[str, Any]) -> Any:
        observations, rewards, *rest = self._env.step(actions)
        observations, rewards = dict(observations), dict(rewards)
        self._fault(observations, rewards)
        return observations, rewards, *rest


class Relay(ParallelEnv):
    """Three runners with masks, choices from 1 to 3 and observations of different widths.

    Runner i leaves after step i + 2, by itself or, with `by_clock`, because the last one is stopped. Everyone observes the step's
    number; choice 2 is forbidden in odd steps.
    """

    metadata = {"name": "relay race"}

    def __init__(self, by_clock: bool = False) -> None:
        self.possible_agents = [f"runner_{i}" for i in range(3)]
        self.by_clock = by_clock

    @property
    def agents(self) -> list[str]:
        return self.acting

    def observation_space(self, agent: str) -> Dict:
        width = 1 + self.possible_agents.index(agent)
        return Dict({"observation": Box(0, 9, (width,), np.float32), "action_mask": Box(0, 1, (3,), np.int8)})

    def action_space(self, agent: str) -> Discrete:
        return Discrete(3, start=1)

    def _observe(self, agents: list[str]) -> dict[str, Any]:
        mask = np.array([1, self.time % 2 == 0, 1], np.int8)
        value = np.float32(self.time)
        return {
            agent: {"observation": np.full(1 + self.possible_agents.index(agent), value), "action_mask": mask}
            for agent in agents
        }

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.time, self.seed, self.acting = 0, seed, list(self.possible_agents)
        self.taken: list[dict[str, int]] = []
        return self._observe(self.acting), {agent: {} for agent in self.acting}

    def state(self) -> np.ndarray:
        return np.array([self.time, self.seed], np.float64)

    def step(self, actions: dict[str, int]) -> Any:
        acting = self.acting
        assert sorted(actions) == sorted(acting), (actions, acting)
        assert all(1 <= action <= 3 and (action != 2 or self.time % 2 == 0) for action in actions.values()), actions
        self.taken.append(dict(actions))
        self.time += 1
        leaving = [agent for agent in acting if self.time == self.possible_agents.index(agent) + 2]
        last = leaving == acting and self.by_clock
        flags = {agent: agent in leaving for agent in acting}
        none = dict.fromkeys(acting, False)
        rewards = {agent: float(1 + self.possible_agents.index(agent)) for agent in acting}
        self.acting = [agent for agent in acting if agent not in leaving]
        infos: dict[str, Any] = {agent: {} for agent in acting}
        return self._observe(acting), rewards, none if last else flags, flags if last else none, infos


class Drives(ParallelEnv):
    """Two drives with limits of their own and commands in a matrix; nobody ever ends it."""

    metadata = {"name": "drives"}

    def __init__(self, low: float = -2.0, high: float = 6.0) -> None:
        self.possible_agents = ["head", "tail"]
        self.low, self.high = low, high

    def observation_space(self, agent: str) -> Box:
        return Box(-np.inf, np.inf, (2,), np.float64)

    def action_space(self, agent: str) -> Box:
        return Box(self.low, self.high, (1, 2), np.float32)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.rng = list(self.possible_agents), np.random.default_rng(seed)
        return self._observe(), {}

    def _observe(self) -> dict[str, np.ndarray]:
        return {agent: self.rng.normal(size=2) for agent in self.agents}

    def step(self, actions: dict[str, np.ndarray]) -> Any:
        self.actions = actions
        assert all(action.shape == (1, 2) for action in actions.values())
        none = dict.fromkeys(self.agents, False)
        rewards = {agent: float(action.sum()) for agent, action in actions.items()}
        return self._observe(), rewards, none, none, {}


class Skirmish:
    """PyMARL's interface: two units, of which the second dies in the second step; won after four steps, or stopped after `limit`.

    `form` is what `step` returns: "smac" (reward, ended, info), "smaclite" (as gymnasium). The living may do 1 and 2, the dead 0.
    """

    n_agents, n_actions = 2, 3

    def __init__(self, form: str, limit: int = 9) -> None:
        self.form, self.limit, self.seeds = form, limit, []
        if form == "smaclite":
            self.reset = self._reset_seeded  # type: ignore[method-assign]

    def _reset_seeded(self, seed: int | None = None) -> Any:
        self.seeds.append(seed)
        return self.reset_all()

    def reset(self) -> Any:
        return self.reset_all()

    def reset_all(self) -> Any:
        self.time = 0
        return self.get_obs(), self.get_state()

    def get_obs(self) -> list[np.ndarray]:
        return [np.full(4, self.time + 10 * i, np.float32) * (i == 0 or self.time < 2) for i in range(2)]

    def get_state(self) -> np.ndarray:
        return np.array([self.time, 7], np.float64)

    def get_avail_actions(self) -> list[list[int]]:
        return [[0, 1, 1], [0, 1, 1] if self.time < 2 else [1, 0, 0]]

    def step(self, actions: list[int]) -> Any:
        assert all(type(action) is int for action in actions) and actions[0] in (1, 2)
        assert actions[1] in (1, 2) if self.time < 2 else actions[1] == 0
        self.time += 1
        won, stopped = self.time == 4, self.time == self.limit
        if self.form == "smac":
            return 0.5, won or stopped, {"battle_won": won, **({"episode_limit": True} if stopped else {})}
        return self.get_obs(), 0.5, won, stopped, {}
