"""What a parallel environment's spaces say, and its dictionaries as rows of arrays."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omiga._omiga import Error

# Beyond this a bound is none: no sensor means such a value.
_UNBOUNDED = 1e16


def task_of(env: Any, name: str | None = None) -> dict[str, Any]:
    """The task of a PettingZoo parallel environment: for each agent what it observes and what it commands.

    Fields are called `obs.0`, `action.0`, ...; ranges are those of the spaces, where they are finite. Change names and
    units, or add `period_ns`, before it is recorded: exported policies carry it as their contract. `name` is the
    environment's own unless given; with the name of a task that omiga knows (`spread`, `hopper-3x1-local`) training uses
    that task's settings and plays it.
    """
    if not hasattr(env, "possible_agents") or hasattr(env, "agent_iter"):
        raise Error(
            f"{env!r} is no parallel environment of PettingZoo; expected one with `possible_agents` whose `step` takes "
            "all agents' actions (pettingzoo.utils.aec_to_parallel makes one of others)"
        )
    found = str((getattr(env, "metadata", None) or {}).get("name", ""))
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", found).strip("-") or "recording"
    return {"name": name or plain, "agents": [_agent(env, agent) for agent in env.possible_agents]}


def _agent(env: Any, agent: str) -> dict[str, Any]:
    low, high = _bounds(_seen(env.observation_space(agent)))
    fields = [_field("obs", i, bounds) for i, bounds in enumerate(zip(low, high))]
    return {"name": agent, "obs": fields, "action": _action(env.action_space(agent), agent)}


def _action(space: Any, agent: str) -> dict[str, Any]:
    # MultiBinary has an `n` too.
    if hasattr(space, "n") and hasattr(space, "start"):
        return {"discrete": [f"action.{i}" for i in range(int(space.n))]}
    if not hasattr(space, "low"):
        raise Error(f"{agent}: actions are {space}, expected `Discrete`, or a `Box` with bounds")
    fields = [_field("action", i, bounds) for i, bounds in enumerate(zip(*_bounds(space)))]
    if any("range" not in field for field in fields):
        raise Error(f"{agent}: actions are {space}, expected finite bounds; give a `task` with the machine's limits")
    return {"continuous": fields}


def _seen(space: Any) -> Any:
    """The space of what is observed, without the mask that some environments put beside it."""
    return space["observation"] if _has_mask(space) else space


def _has_mask(space: Any) -> bool:
    return hasattr(space, "keys") and set(space.keys()) == {"observation", "action_mask"}


def _bounds(space: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each number of a flattened observation or action."""
    if hasattr(space, "low"):
        return np.ravel(space.low).astype(np.float64), np.ravel(space.high).astype(np.float64)
    from gymnasium.spaces import flatdim

    return np.full(flatdim(space), -np.inf), np.full(flatdim(space), np.inf)


def _field(kind: str, i: int, bounds: tuple[float, float]) -> dict[str, Any]:
    low, high = (float(np.float32(bound)) for bound in bounds)
    known = -_UNBOUNDED < low < high < _UNBOUNDED
    return {"name": f"{kind}.{i}", **({"range": {"low": low, "high": high}} if known else {})}


class Layout:
    """Rows [N, O], [N, A] of a task out of an environment's dictionaries, and back."""

    def __init__(self, env: Any, task: dict[str, Any]) -> None:
        self.task = task
        self.agents: list[str] = list(env.possible_agents)
        specs = {spec["name"]: spec for spec in task["agents"]}
        if sorted(specs) != sorted(self.agents):
            raise Error(f"the task's agents are {sorted(specs)}, the environment's {sorted(self.agents)}; they must agree")
        # Rows are in the order of the task.
        self.agents = list(specs)
        self._spaces = {agent: env.observation_space(agent) for agent in self.agents}
        self._actions = {agent: env.action_space(agent) for agent in self.agents}
        self.widths = [len(specs[agent]["obs"]) for agent in self.agents]
        first = specs[self.agents[0]]["action"]
        self.discrete = "discrete" in first
        self.action_dim = len(next(iter(first.values())))
        if self.discrete:
            self._idle = np.zeros(len(self.agents), np.int64)
            return
        ranges = {agent: [field["range"] for field in specs[agent]["action"]["continuous"]] for agent in self.agents}
        self._limits = {agent: np.array([[r[end] for r in own] for end in ("low", "high")]) for agent, own in ranges.items()}
        # What stands in the rows of those that are gone: nothing is learned from it.
        self._idle = np.array([limits.mean(axis=0) for limits in self._limits.values()], np.float32)

    def check(self, actions: dict[str, Any]) -> None:
        """Do these actions have the form that the environment takes?"""
        for agent, action in actions.items():
            found, expected = np.shape(action), () if self.discrete else self._actions[agent].shape
            if found != expected:
                raise Error(f"{agent}: an action has shape {found}, expected {expected}; got {action!r}")
            if self.discrete:
                first = self._start(agent)
                is_choice = np.asarray(action).dtype.kind in "iu" and first <= action < first + self.action_dim
                if not is_choice:
                    last = first + self.action_dim - 1
                    raise Error(f"{agent}: an action is {action!r}, expected a whole number from {first} to {last}")
            if not (self.discrete or np.isfinite(action).all()):
                raise Error(f"{agent}: an action is {action!r}, expected finite numbers")

    def observed(self, observations: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
        """Each agent's observation as one row of numbers."""
        return {agent: self._flat(agent, value) for agent, value in observations.items()}

    def _flat(self, agent: str, value: Any) -> NDArray[np.float32]:
        space = self._spaces[agent]
        if _has_mask(space):
            space, value = space["observation"], value["observation"]
        try:
            if not hasattr(space, "low"):
                from gymnasium.spaces import flatten

                value = flatten(space, value)
            return np.ravel(np.asarray(value, np.float32))
        except (TypeError, ValueError, IndexError) as error:
            raise Error(f"{agent}: an observation is {value!r}, expected numbers of {space}: {error}") from None

    def masks(self, observations: dict[str, Any], infos: dict[str, Any]) -> dict[str, NDArray[np.bool_]] | None:
        """What each agent may do: `action_mask` in its observation or its info. None where nobody says, or nobody chooses."""
        masks: dict[str, NDArray[np.bool_]] = {}
        if not self.discrete:
            return None
        for agent, value in observations.items():
            says = value if _has_mask(self._spaces[agent]) else infos.get(agent) or {}
            if says.get("action_mask") is not None:
                mask = masks[agent] = np.asarray(says["action_mask"]).astype(bool)
                if mask.shape != (self.action_dim,):
                    raise Error(f"{agent}: an action mask has shape {mask.shape}, expected ({self.action_dim},)")
        return masks or None

    def obs_rows(self, observed: dict[str, NDArray[np.float32]], alive: NDArray[np.bool_]) -> NDArray[np.float32]:
        """[N, O]; zeros behind a narrower agent's fields, and for those that are gone."""
        rows = np.zeros((len(self.agents), max(self.widths)), np.float32)
        for row, agent, width, lives in zip(rows, self.agents, self.widths, alive):
            if lives and agent in observed:
                own = observed[agent]
                if own.size != width:
                    raise Error(f"{agent}: an observation has {own.size} values, expected {width} as in the task")
                row[:width] = own
        return rows

    def mask_rows(self, masks: dict[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """[N, A]; everything is available to those that say nothing."""
        every = np.ones(self.action_dim, bool)
        return np.stack([masks.get(agent, every) for agent in self.agents])

    def action_rows(self, actions: dict[str, Any]) -> NDArray[Any]:
        """Commands [N, A] or indices [N] of an environment's actions."""
        rows = self._idle.copy()
        for i, agent in enumerate(self.agents):
            if agent in actions:
                rows[i] = actions[agent] - self._start(agent) if self.discrete else np.ravel(actions[agent])
        return rows

    def to_env(self, actions: dict[str, Any]) -> dict[str, Any]:
        """A team's actions as the environment takes them: its shapes, and its first index."""
        if self.discrete:
            return {agent: action + self._start(agent) for agent, action in actions.items()}
        return {agent: np.reshape(action, self._actions[agent].shape) for agent, action in actions.items()}

    def sample(self, agent: str, mask: NDArray[np.bool_] | None, rng: np.random.Generator) -> Any:
        """A random action as the environment takes it."""
        space = self._actions[agent]
        if self.discrete:
            open_ = np.flatnonzero(np.ones(self.action_dim, bool) if mask is None else mask)
            if not open_.size:
                raise Error(f"{agent}: no action is available; check the environment's masks")
            return int(rng.choice(open_)) + self._start(agent)
        low, high = self._limits[agent]
        return np.clip(rng.uniform(low, high).reshape(space.shape), space.low, space.high).astype(space.dtype)

    def _start(self, agent: str) -> int:
        return int(getattr(self._actions[agent], "start", 0))
