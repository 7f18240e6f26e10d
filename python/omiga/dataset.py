"""Recorded behaviour of a team as numpy arrays, from any format that `omiga train` reads."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omiga._omiga import DatasetError, dataset_card, read_dataset


@dataclass(frozen=True)
class Episode:
    """A complete episode of L steps, as views of its dataset: states have L + 1 rows, the last one is what was reached."""

    obs: NDArray[np.float32]
    """[L + 1, N, O]"""
    state: NDArray[np.float32]
    """[L + 1, S]"""
    actions: NDArray[Any]
    """[L, N, A] in [-1, 1], or indices [L, N]"""
    rewards: NDArray[np.float32]
    """The team's, [L]"""
    action_mask: NDArray[np.bool_] | None
    """[L + 1, N, A]"""
    alive: NDArray[np.bool_] | None
    """[L + 1, N]"""
    terminated: bool
    """It ended by itself; else the clock ended it."""

    def __len__(self) -> int:
        return len(self.rewards)


class Dataset:
    """All rows of a dataset, each column an array that nobody writes to and that is held once.

    R rows, N agents, O the width of the widest observation, A commands or choices. Rows are states: the next state of a
    step is the row after it, and the last row of an episode has an action and a reward that mean nothing. `steps` are
    the rows that are steps: `obs[steps]`, `actions[steps]`, `rewards[steps]`, `obs[steps + 1]` are transitions.

    The keyword arguments are the settings `data.*` that concern reading: `format`, `time_limit`, `last_state`,
    `team_reward`, `timeouts`, `actions`, `rewards`. With `raw`, observations that are stored standardised with the
    agent's id are taken back to what a policy sees.
    """

    obs: NDArray[np.float32]
    """[R, N, O]; behind a narrower agent's fields come zeros"""
    state: NDArray[np.float32]
    """[R, S]: of the team, or all agents' one after the other; a view of `obs` if that is the state"""
    actions: NDArray[Any]
    """Commands [R, N, A] in [-1, 1], the bounds of the command's range; or indices [R, N]"""
    rewards: NDArray[np.float32]
    """The team's, [R]"""
    action_mask: NDArray[np.bool_] | None
    """[R, N, A], True where an action was available, if the dataset says"""
    alive: NDArray[np.bool_] | None
    """[R, N], if somebody ever is not"""
    steps: NDArray[np.uint32]
    """Rows that are steps, ascending"""
    episodes: list[Episode]
    """The complete ones, in order"""
    task: dict[str, Any]
    """Who acts: names, units and ranges of what each agent observes and commands"""
    format: str
    """The format it was read from"""
    stored_obs: dict[str, Any]
    """What `obs` went through before it was stored: kind `raw` or `standardised`"""
    repaired: list[str]
    """What was not as it should be, and what was made of it"""

    def __init__(self, path: str | PathLike[str], *, raw: bool = False, **options: Any) -> None:
        self._path, self._options = fspath(path), options
        columns = read_dataset(self._path, options, raw)
        for name in ("obs", "rewards", "steps", "task", "format", "stored_obs", "repaired"):
            setattr(self, name, columns[name])
        self.actions = columns["action_indices"] if columns["actions"] is None else columns["actions"]
        rows = len(self.rewards)
        state = columns["state"]
        self.state = self.obs.reshape(rows, -1) if state is None else state
        self.action_mask, self.alive = (_flags(columns[name]) for name in ("action_mask", "alive"))
        self.episodes = [self._episode(*bounds) for bounds in columns["episodes"]]

    def _episode(self, first: int, last: int, truncated: bool) -> Episode:
        states, steps = slice(first, last + 1), slice(first, last)
        return Episode(
            obs=self.obs[states],
            state=self.state[states],
            actions=self.actions[steps],
            rewards=self.rewards[steps],
            action_mask=None if self.action_mask is None else self.action_mask[states],
            alive=None if self.alive is None else self.alive[states],
            terminated=not truncated,
        )

    def physical_actions(self) -> NDArray[np.float32]:
        """Commands [R, N, A] in the units of the task, as policies give them; a new array. There are none where agents choose."""
        if self.actions.ndim == 2:
            raise DatasetError("actions are choices, which have no units; expected a dataset of commands")
        ranges = [[field["range"] for field in agent["action"]["continuous"]] for agent in self.task["agents"]]
        low, high = (np.array([[r[end] for r in agent] for agent in ranges], np.float32) for end in ("low", "high"))
        half, middle = (high - low) / np.float32(2), (high + low) / np.float32(2)
        commands: NDArray[np.float32] = np.clip(self.actions * half + middle, low, high)
        return commands

    def card(self) -> dict[str, Any]:
        """What `omiga inspect --json` says: sizes, returns, fields, repairs. The file is read once more."""
        return dataset_card(self._path, self._options)

    def __repr__(self) -> str:
        agents, name = len(self.task["agents"]), self.task["name"]
        return f"<omiga.Dataset {name}: {len(self.episodes)} episodes, {len(self.steps)} steps, {agents} agents>"


def _flags(column: NDArray[np.uint8] | None) -> NDArray[np.bool_] | None:
    """Bytes that are 0 or 1 are truth values as they are."""
    return None if column is None else column.view(np.bool_)
