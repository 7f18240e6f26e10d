"""Playing a PettingZoo parallel environment: to record a dataset, or to judge a policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from os import PathLike, fspath, path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from omiga._omiga import Error, PolicyError, Team, Writer, mean_interval
from omiga.spaces import Layout, task_of

Actor = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
"""Actions by agent of observations by agent and infos by agent."""

TeamPolicy = Union[str, "PathLike[str]", Team, Actor]
"""A bundle's folder, a `Team`, "random", or a function of observations and infos."""


@dataclass(frozen=True)
class Played:
    """What episodes came to."""

    returns: NDArray[np.float64]
    """Sum of the team's rewards of each episode, undiscounted"""
    lengths: NDArray[np.int64]
    """Steps of each episode"""
    terminated: NDArray[np.bool_]
    """Did it end by itself? Else the clock ended it."""

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the mean return, as `omiga eval` computes it; None for a single episode."""
        return mean_interval(self.returns.tolist())

    def __str__(self) -> str:
        interval = "" if self.interval is None else " [{:.2f}, {:.2f}]".format(*self.interval)
        return f"return {self.mean:.2f}{interval} over {len(self.returns)} episodes of {self.lengths.mean():.1f} steps"


def record(
    env: Any,
    policy: TeamPolicy,
    episodes: int,
    out: str | PathLike[str],
    *,
    seed: int = 0,
    task: str | dict[str, Any] | None = None,
    team_reward: str = "mean",
    state: bool | None = None,
    max_steps: int | None = None,
    overwrite: bool = False,
) -> Played:
    """Play episodes and write them to `out`, a file that `omiga train --data` takes.

    Episode i begins with `env.reset(seed=seed + i)`. `policy` is a bundle's folder, a `Team`, "random", or a function of
    observations and infos (dictionaries by agent, of those that act) that returns their actions. `task` is its name, or
    a dictionary as `task_of` makes it, with names, units and ranges of your own. The team's reward is the "mean" or the
    "sum" of the rewards of those that acted. The global state is `env.state()` where there is one that is no picture;
    `state` True or False decides. Who terminated or was truncated is gone. An episode ends when nobody is left
    (terminated if all that were left terminated, else truncated), or truncated after `max_steps`. Masks are taken from
    `action_mask` in observations or infos.
    """
    if path.exists(out) and not overwrite:
        raise FileExistsError(f"{fspath(out)} is there already; expected another name, or `overwrite=True`")
    stage = _Stage(env, policy, task, team_reward, max_steps)
    env.reset(seed=seed)
    width = _state_width(env, state)
    stage.state = width is not None
    with Writer(fspath(out), stage.layout.task, state_dim=width) as writer:
        return stage.play(episodes, seed, writer)


def evaluate(
    env: Any,
    policy: TeamPolicy,
    episodes: int,
    *,
    seed: int = 0,
    task: str | dict[str, Any] | None = None,
    team_reward: str = "mean",
    max_steps: int | None = None,
) -> Played:
    """Play episodes and say what they came to. All arguments are as in `record`."""
    return _Stage(env, policy, task, team_reward, max_steps).play(episodes, seed)


def _state_width(env: Any, wanted: bool | None) -> int | None:
    """Width of the environment's global state; None if it has none, or none is wanted."""
    if wanted is False:
        return None
    try:
        state = np.asarray(env.state())
    except (AttributeError, NotImplementedError):
        if wanted:
            raise
        return None
    # A picture is no state that anybody asked for.
    return int(state.size) if wanted or state.ndim <= 2 else None


class _Stage:
    """Who plays what."""

    def __init__(
        self, env: Any, policy: TeamPolicy, task: str | dict[str, Any] | None, team_reward: str, limit: int | None
    ) -> None:
        if team_reward not in ("mean", "sum"):
            raise ValueError(f"team_reward is {team_reward!r}, expected 'mean' or 'sum'")
        if limit is not None and limit < 1:
            raise ValueError(f"max_steps is {limit}, expected 1 or more")
        self.env, self.limit, self.state = env, limit, False
        self.layout = Layout(env, task if isinstance(task, dict) else task_of(env, task))
        self._known = set(self.layout.agents)
        self._sum = team_reward == "sum"
        self._random = policy == "random"
        if not self._random and isinstance(policy, (str, PathLike)):
            policy = Team(policy)
        if isinstance(policy, Team):
            _check(policy, self.layout)
        elif not self._random and not callable(policy):
            raise TypeError(f"policy is {policy!r}, expected a bundle's folder, a Team, 'random' or a function")
        self._policy = policy

    def play(self, episodes: int, seed: int, writer: Writer | None = None) -> Played:
        """Play them in order."""
        if episodes < 1:
            raise ValueError(f"episodes is {episodes}, expected 1 or more")
        returns, lengths, terminated = zip(*(self._episode(seed + i, writer) for i in range(episodes)))
        return Played(np.array(returns, np.float64), np.array(lengths, np.int64), np.array(terminated, bool))

    def _episode(self, seed: int, writer: Writer | None) -> tuple[float, int, bool]:
        env = self.env
        observations, infos = env.reset(seed=seed)
        if isinstance(self._policy, Team):
            self._policy.reset()
        rng = np.random.default_rng(seed)
        total, steps, acting = 0.0, 0, list(env.agents)
        if not acting:
            raise Error("nobody acts after `reset`, expected agents in the environment's `agents`")
        gone: set[str] = set()
        while True:
            if not self._known.issuperset(acting):
                raise Error(f"{sorted(set(acting) - self._known)} act, who are not among the environment's possible agents")
            present = _each(acting, observations, "no observation")
            before = self._row(acting, present, infos) if writer else {}
            actions = self._act(present, infos, rng)
            observations, rewards, terminations, truncations, infos = env.step(actions)
            reward = self._team_reward(_each(acting, rewards, "no reward"))
            total, steps = total + reward, steps + 1
            if writer:
                writer.push_step(actions=self.layout.action_rows(actions), reward=reward, **before)
            left = [agent for agent in acting if not terminations.get(agent)]
            # Some environments keep those that are gone in their list.
            gone.update(agent for agent in acting if terminations.get(agent) or truncations.get(agent))
            still = [agent for agent in env.agents if agent not in gone]
            if not still or steps == self.limit:
                break
            acting = still
        if writer:
            # Of an end nothing is learned from what is observed then, and not every environment says it.
            last = observations if left else {**present, **observations}
            seen = _each(left or acting, last, "no observation")
            writer.end_episode(terminated=not left, **self._row(left or acting, seen, infos))
        return total, steps, not left

    def _act(self, present: dict[str, Any], infos: dict[str, Any], rng: Any) -> dict[str, Any]:
        """Everybody's action, as the environment takes it."""
        policy = self._policy
        if not isinstance(policy, Team) and callable(policy):
            actions = policy(present, infos)
            if not hasattr(actions, "keys"):
                raise Error(f"the policy returned {actions!r}, expected a dictionary of actions by agent")
            actions = _each(list(present), actions, "no action")
            self.layout.check(actions)
            return actions
        masks = self.layout.masks(present, infos)
        if isinstance(policy, Team):
            return self.layout.to_env(policy.act(self.layout.observed(present), masks))
        return {agent: self.layout.sample(agent, (masks or {}).get(agent), rng) for agent in present}

    def _team_reward(self, by_agent: dict[str, Any]) -> float:
        try:
            rewards = [float(reward) for reward in by_agent.values()]
        except (TypeError, ValueError):
            raise Error(f"rewards are {by_agent!r}, expected a number for each agent") from None
        for agent, reward in zip(by_agent, rewards):
            if not isfinite(reward):
                raise Error(f"{agent}: the reward is {reward}, expected a finite one; check the environment")
        if self._sum:
            return sum(rewards)
        # A mean of equal numbers may be another by rounding.
        return rewards[0] if len(set(rewards)) == 1 else sum(rewards) / len(rewards)

    def _row(self, alive: list[str], present: dict[str, Any], infos: dict[str, Any]) -> dict[str, Any]:
        """A state as `Writer` takes it."""
        layout = self.layout
        living = np.array([agent in alive for agent in layout.agents])
        row: dict[str, Any] = {"obs": layout.obs_rows(layout.observed(present), living), "alive": living}
        masks = layout.masks(present, infos)
        if masks is not None:
            row["action_mask"] = layout.mask_rows(masks)
        if self.state:
            row["state"] = np.ravel(np.asarray(self.env.state(), np.float32))
        return row


def _each(agents: list[str], values: dict[str, Any], missing: str) -> dict[str, Any]:
    """What each of these agents has; an error says who has nothing."""
    try:
        return {agent: values[agent] for agent in agents}
    except KeyError as error:
        raise Error(f"{error.args[0]}: {missing}, but it is among those that act") from None


def _check(team: Team, layout: Layout) -> None:
    """Do the team's contract and the environment's spaces agree?"""
    theirs = {spec["name"]: spec for spec in layout.task["agents"]}
    if sorted(team.names) != sorted(theirs):
        raise PolicyError(f"the team's agents are {sorted(team.names)}, the environment's {sorted(theirs)}; they must agree")
    for spec in team.task["agents"]:
        name, found = spec["name"], theirs[spec["name"]]
        if len(spec["obs"]) != len(found["obs"]):
            raise PolicyError(f"{name}: the policy observes {len(spec['obs'])} values, the environment has {len(found['obs'])}")
        ours, its = _bounds_of(spec["action"]), _bounds_of(found["action"])
        if ours.shape != its.shape or not np.allclose(ours, its, rtol=1e-6, atol=1e-9):
            raise PolicyError(f"{name}: the policy's actions are {spec['action']}, the environment's {found['action']}")


def _bounds_of(action: dict[str, Any]) -> NDArray[np.float64]:
    """[A, 2] of commands, [A] of choices."""
    if "discrete" in action:
        return np.zeros(len(action["discrete"]))
    return np.array([[field["range"]["low"], field["range"]["high"]] for field in action["continuous"]])
