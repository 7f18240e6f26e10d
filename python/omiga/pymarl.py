"""Environments with PyMARL's interface, as SMAC has it, played as parallel ones."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class _Numbers(NamedTuple):
    """As much of gymnasium's `Box` as is asked for."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]


class _Choice(NamedTuple):
    """As much of gymnasium's `Discrete` as is asked for."""

    n: int
    start: int = 0


class PymarlEnv:
    """SMAC, SMACv2, SMAClite and whatever else has PyMARL's interface, for `record` and `evaluate`.

    `env` has `n_agents`, `n_actions`, `reset`, `step`, `get_obs`, `get_state` and `get_avail_actions`; it is reset once to
    see how much is observed. Agents are called `agent_0`, `agent_1`, ...; one that can do nothing but action 0 is dead.
    The reward is the team's. An end with `episode_limit` in its info, or truncated as gymnasium says it, is the clock's.
    Seeds are handed on if `reset` takes them.
    """

    def __init__(self, env: Any, name: str = "pymarl") -> None:
        self.env = env
        self.metadata = {"name": name}
        self.possible_agents = [f"agent_{i}" for i in range(env.n_agents)]
        self.agents: list[str] = []
        self._takes_seed = "seed" in inspect.signature(env.reset).parameters
        env.reset()
        bound = np.full(np.size(env.get_obs()[0]), np.inf, np.float32)
        self._seen = _Numbers(-bound, bound)

    def observation_space(self, agent: str) -> Any:
        """What each agent observes: numbers without known bounds."""
        return self._seen

    def action_space(self, agent: str) -> Any:
        """What each agent can do."""
        return _Choice(int(self.env.n_actions))

    def state(self) -> NDArray[np.float32]:
        """The global state."""
        return np.ravel(np.asarray(self.env.get_state(), np.float32))

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode: observations, and masks in the infos."""
        self.env.reset(**({"seed": seed} if self._takes_seed else {}))
        masks = self._masks()
        self.agents = _alive(masks)
        return self._observations(), _infos(masks)

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """Everybody acts; the dead do action 0."""
        acting = self.agents
        stepped = self.env.step([int(actions.get(agent, 0)) for agent in self.possible_agents])
        # (reward, ended, info), as PyMARL has it; with observations before; and with truncations, as gymnasium has it.
        reward, *ends, info = stepped if len(stepped) == 3 else stepped[1:]
        truncated = any(ends) and bool(info.get("episode_limit", False) or (len(ends) == 2 and ends[1] and not ends[0]))
        terminated = any(ends) and not truncated
        masks = self._masks()
        living = _alive(masks)
        self.agents = [] if any(ends) else living
        return (
            self._observations(),
            dict.fromkeys(acting, float(reward)),
            {agent: terminated or (agent not in living) for agent in acting},
            dict.fromkeys(acting, truncated),
            _infos(masks),
        )

    def _masks(self) -> dict[str, NDArray[np.bool_]]:
        return dict(zip(self.possible_agents, np.asarray(self.env.get_avail_actions()).astype(bool)))

    def _observations(self) -> dict[str, Any]:
        return dict(zip(self.possible_agents, self.env.get_obs()))


def _alive(masks: dict[str, NDArray[np.bool_]]) -> list[str]:
    return [agent for agent, mask in masks.items() if mask[1:].any()]


def _infos(masks: dict[str, NDArray[np.bool_]]) -> dict[str, Any]:
    return {agent: {"action_mask": mask} for agent, mask in masks.items()}
