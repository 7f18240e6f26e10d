"""Recording and judging in parallel environments: real ones, and small ones that do what is rare there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, MultiDiscrete
from gymnasium_robotics import mamujoco_v1
from mpe2 import simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3
from pettingzoo.butterfly import knights_archers_zombies_v11
from worlds import Drives, Faulty, Relay, Skirmish

import omiga


def spread(**changed: Any) -> Any:
    return simple_spread_v3.parallel_env(**{"N": 3, "max_cycles": 25, "continuous_actions": True, **changed})


def by_hand(env: Any, seed: int, choose: Any) -> tuple[np.ndarray, list[float]]:
    """Observations [L + 1, N, O] and mean rewards of an episode, without this package."""
    observations, _ = env.reset(seed=seed)
    rows, rewards = [np.stack(list(observations.values()))], []
    while env.agents:
        observations, reward, *_ = env.step(choose(rows[-1]))
        rows.append(np.stack(list(observations.values())))
        rewards.append(float(np.mean(list(reward.values()))))
    return np.stack(rows), rewards


def test_a_recording_of_mpe2_is_what_mpe2_did(tmp_path: Path) -> None:
    path = tmp_path / "spread.hdf5"
    played = omiga.record(spread(), "random", 4, path, seed=11, task="spread")
    data = omiga.Dataset(path)
    assert data.repaired == [] and data.task["name"] == "spread" and len(data.episodes) == 4
    assert data.task["agents"][0]["action"]["continuous"][0]["range"] == {"low": 0.0, "high": 1.0}
    assert played.lengths.tolist() == [25] * 4 and not played.terminated.any()
    commands = data.physical_actions()
    for i, episode in enumerate(data.episodes):
        left = iter(commands[26 * i :])
        obs, rewards = by_hand(spread(), 11 + i, lambda _: dict(zip(data_names(data), next(left))))
        assert not episode.terminated and episode.alive is None and episode.action_mask is None
        # Commands go through [-1, 1] and back.
        assert np.abs(episode.obs - obs).max() < 1e-5
        assert np.abs(episode.rewards - rewards).max() < 1e-4
        assert np.isclose(played.returns[i], np.sum(rewards), atol=1e-4)
        assert np.array_equal(episode.state, episode.obs.reshape(26, -1))
    again = omiga.record(spread(), "random", 4, tmp_path / "again.hdf5", seed=11, task="spread")
    assert (tmp_path / "again.hdf5").read_bytes() == path.read_bytes()
    assert np.array_equal(again.returns, played.returns)


def data_names(data: omiga.Dataset) -> list[str]:
    return [agent["name"] for agent in data.task["agents"]]


def test_the_shipped_team_plays_mpe2_as_it_plays_here(models: Path) -> None:
    played = omiga.evaluate(spread(), models / "spread", 300)
    # -13.79 [-14.09, -13.49] over 1000 episodes of our own world (models/README.md).
    error = played.returns.std(ddof=1) / np.sqrt(300)
    assert abs(played.mean - -13.79) < 4 * np.hypot(error, 0.15), str(played)
    low, high = played.interval or (0, 0)
    assert low < played.mean < high and high - low < 6 * error and "300 episodes of 25.0 steps" in str(played)


def test_a_team_acts_as_by_hand(models: Path) -> None:
    team = omiga.Team(models / "spread")
    _, rewards = by_hand(spread(), 5, lambda obs: dict(zip(team.names, team.step(obs))))
    assert omiga.evaluate(spread(), team, 1, seed=5).returns.tolist() == [pytest.approx(sum(rewards), abs=1e-9)]
    doubled = omiga.evaluate(spread(), team, 1, seed=5, team_reward="sum")
    assert doubled.mean == pytest.approx(3 * sum(rewards), abs=1e-9) and doubled.interval is None


def test_a_robot_of_gymnasium_robotics(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "cheetah.hdf5"
    env = mamujoco_v1.parallel_env("HalfCheetah", "6x1", agent_obsk=1)
    played = omiga.record(env, models / "halfcheetah-6x1-local", 2, path, task="halfcheetah-6x1-local")
    assert played.lengths.tolist() == [1000, 1000] and not played.terminated.any()
    # 1798 [1702, 1887] over 100 episodes of our own, which are step for step gymnasium-robotics': 470 is their deviation.
    more = omiga.evaluate(env, models / "halfcheetah-6x1-local", 6, seed=2)
    assert abs(np.append(played.returns, more.returns).mean() - 1798) < 4 * 470 / np.sqrt(8), f"{played}; {more}"
    data = omiga.Dataset(path)
    assert data.repaired == [] and data.obs.shape[1:] == (6, 9) and data.state.shape == (2002, 17)
    assert (data.obs[:, 2, 8] == 0).all() and (data.obs[:, 0, 8] != 0).any()
    assert len(data.task["agents"][2]["obs"]) == 8
    obs = {"agent_2": data.obs[7, 2, :8], "agent_0": data.obs[7, 0]}
    acted = omiga.Team(models / "halfcheetah-6x1-local").act(obs)
    assert np.allclose([data.actions[7, 2], data.actions[7, 0]], list(acted.values()), atol=1e-6)


def test_a_fall_terminates(tmp_path: Path) -> None:
    env = mamujoco_v1.parallel_env("Hopper", "3x1", agent_obsk=0)
    played = omiga.record(env, "random", 5, tmp_path / "hopper.hdf5")
    assert played.terminated.all() and played.lengths.max() < 1000
    data = omiga.Dataset(tmp_path / "hopper.hdf5")
    assert all(episode.terminated for episode in data.episodes) and data.task["name"] == "MaMuJoCo"


def test_observations_of_different_widths_and_choices(tmp_path: Path) -> None:
    path = tmp_path / "tag.hdf5"
    omiga.record(simple_tag_v3.parallel_env(max_cycles=10), "random", 2, path, team_reward="sum")
    data = omiga.Dataset(path)
    assert data.repaired == [] and data.obs.shape == (22, 4, 16) and data.state.shape == (22, 62)
    own = [data.obs[:, i, :width] for i, width in enumerate((16, 16, 16, 14))]
    assert np.array_equal(np.concatenate(own, axis=1), data.state) and (data.obs[:, 3, 14:] == 0).all()
    assert set(np.unique(data.actions[data.steps])) == set(range(5))


def test_agents_that_die(tmp_path: Path) -> None:
    path = tmp_path / "zombies.hdf5"
    env = knights_archers_zombies_v11.parallel_env(max_cycles=400)
    there = []

    class Watched:
        """The same environment, and who was there."""

        def __getattr__(self, name: str) -> Any:
            return getattr(env, name)

        def step(self, actions: dict[str, int]) -> Any:
            there.append(list(env.agents))
            return env.step(actions)

    # In the episode of this seed one archer dies well before the others.
    omiga.record(Watched(), "random", 1, path, seed=1)
    data = omiga.Dataset(path)
    (episode,) = data.episodes
    assert data.obs.shape[1:] == (4, 135) and episode.alive is not None
    names = data_names(data)
    assert episode.alive[:-1].tolist() == [[name in agents for name in names] for agents in there]
    gone = ~episode.alive
    assert gone[:-1].any() and (episode.obs[gone] == 0).all() and (episode.obs[~gone] != 0).any(axis=1).all()
    assert (episode.actions[gone[:-1]] == 0).all()


def test_who_leaves_is_not_alive(tmp_path: Path) -> None:
    for by_clock in (False, True):
        path, env = tmp_path / f"{by_clock}.hdf5", Relay(by_clock)
        played = omiga.record(env, "random", 3, path, seed=4)
        assert played.lengths.tolist() == [4] * 3 and played.terminated.tolist() == [not by_clock] * 3
        # Rewards 1, 2, 3 of those that act: means 2, 2, 2.5, 3.
        assert played.returns.tolist() == [9.5] * 3
        data = omiga.Dataset(path)
        assert data.repaired == [] and data.task["name"] == "relay-race"
        assert data.task["agents"][1]["obs"][1] == {"name": "obs.1", "unit": "", "range": {"low": 0.0, "high": 9.0}}
        last = data.episodes[2]
        assert last.alive is not None and last.action_mask is not None
        everyone, two, one = [True] * 3, [False, True, True], [False, False, True]
        assert last.alive.tolist() == [everyone, everyone, two, one, one]
        assert last.obs[:, :, 0].tolist() == [[0, 0, 0], [1, 1, 1], [0, 2, 2], [0, 0, 3], [0, 0, 4]]
        assert (last.obs[:, 0, 1:] == 0).all() and last.obs[3, 2].tolist() == [3, 3, 3]
        assert last.action_mask[1].tolist() == [[True, False, True]] * 3
        # Everything is open to those that are gone.
        assert last.action_mask[3].tolist() == [[True] * 3, [True] * 3, [True, False, True]]
        assert last.state.tolist() == [[t, 6] for t in range(5)]
        names = [f"runner_{i}" for i in range(3)]
        taken = [[step.get(name, 1) - 1 for name in names] for step in env.taken]
        assert last.actions.tolist() == taken
        # Nobody says so, everybody leaves by himself.
        assert omiga.record(env, "random", 1, tmp_path / "no-state.hdf5", state=False, overwrite=True).mean == 9.5
        assert omiga.Dataset(tmp_path / "no-state.hdf5").state.shape == (5, 9)


@pytest.mark.parametrize("form", ["smac", "smaclite"])
def test_pymarls_interface(form: str, tmp_path: Path) -> None:
    for limit, steps, terminated in ((9, 4, True), (3, 3, False)):
        path, skirmish = tmp_path / f"{limit}.hdf5", Skirmish(form, limit)
        played = omiga.record(omiga.PymarlEnv(skirmish, "skirmish"), "random", 2, path, seed=3)
        assert played.lengths.tolist() == [steps] * 2 and played.terminated.tolist() == [terminated] * 2
        assert played.returns.tolist() == [steps / 2] * 2
        data = omiga.Dataset(path)
        assert data.repaired == [] and data.task["name"] == "skirmish"
        episode = data.episodes[1]
        assert episode.alive is not None and episode.action_mask is not None
        assert episode.alive[:, 1].tolist() == [True, True] + [False] * (steps - 1) and episode.alive[:, 0].all()
        assert episode.obs[:, 0, 0].tolist() == list(range(steps + 1)) and episode.obs[1, 1].tolist() == [11] * 4
        assert episode.action_mask[0].tolist() == [[False, True, True]] * 2
        assert set(episode.actions[:2].ravel().tolist()) <= {1, 2} and (episode.actions[2:, 1] == 0).all()
        assert episode.state.tolist() == [[t, 7] for t in range(steps + 1)]
        # Reset once to look, once before the first episode's state was asked for, then for each episode.
        assert skirmish.seeds == ([] if form == "smac" else [None, 3, 3, 4])


def test_commands_in_their_own_units_and_shapes(tmp_path: Path) -> None:
    path, env = tmp_path / "drives.hdf5", Drives()

    def full(observations: dict[str, Any], infos: dict[str, Any]) -> dict[str, Any]:
        return {agent: np.array([[6.0, -2.0]], np.float32) for agent in observations}

    task = omiga.task_of(env, "pumps")
    task["period_ns"] = 10_000_000
    for field in task["agents"][0]["obs"]:
        field["unit"] = "m/s"
    played = omiga.record(env, full, 2, path, task=task, max_steps=3)
    assert played.lengths.tolist() == [3, 3] and not played.terminated.any() and played.returns.tolist() == [12.0, 12.0]
    data = omiga.Dataset(path)
    assert data.actions[0].tolist() == [[1, -1], [1, -1]] and data.physical_actions()[0].tolist() == [[6, -2]] * 2
    assert data.task["period_ns"] == 10_000_000 and data.task["agents"][0]["obs"][1]["unit"] == "m/s"
    assert [e.terminated for e in data.episodes] == [False, False] and data.alive is None
    omiga.record(env, "random", 1, path, max_steps=50, overwrite=True)
    commands = omiga.Dataset(path).physical_actions()[:50]
    assert commands.min() < -1 and commands.max() > 5 and abs(commands.mean() - 2) < 1
    # Where the environment knows no limits, chance keeps to the task's.
    omiga.record(Drives(-np.inf, np.inf), "random", 1, path, max_steps=50, overwrite=True, task=task)
    assert np.array_equal(omiga.Dataset(path).physical_actions()[:50], commands)


def test_what_does_not_fit_is_said(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.hdf5"

    def refused(message: str, env: Any, policy: Any = "random", error: type = omiga.Error, **options: Any) -> None:
        with pytest.raises(error, match=message):
            omiga.record(env, policy, 1, out, **{"max_steps": 2, **options})
        assert list(tmp_path.iterdir()) == []

    refused("no parallel environment", simple_spread_v3.env())
    refused("no parallel environment", object())
    refused("width of agent `listener_0` is 5, expected 3", simple_speaker_listener_v4.parallel_env())
    refused("expected finite bounds", Drives(high=np.inf))
    env = Drives()
    env.action_space = lambda agent: MultiDiscrete([2, 3])  # type: ignore[method-assign]
    refused("expected `Discrete`, or a `Box`", env)
    env.action_space = lambda agent: Box(0, 1, (5,))  # type: ignore[method-assign]
    team = omiga.Team(models / "spread")
    refused("the team's agents are", env, team, omiga.PolicyError)
    refused("the policy observes 18 values, the environment has 12", spread_with_less(), team)
    refused("the policy's actions are", spread(continuous_actions=False), team)
    refused("within its bounds", Drives(), lambda seen, _: {a: np.full((1, 2), 7.0) for a in seen}, omiga.DatasetError)
    refused("expected a bundle's folder", Drives(), 7, TypeError)
    refused("expected 'mean' or 'sum'", Drives(), team_reward="max", error=ValueError)
    refused("state", Drives(), state=True, error=(NotImplementedError, AttributeError))
    refused("No such file", Drives(), tmp_path / "bundle", omiga.PolicyError)
    refused("max_steps is 0", Drives(), error=ValueError, max_steps=0)
    with pytest.raises(ValueError, match="episodes is 0"):
        omiga.evaluate(Drives(), "random", 0, max_steps=2)


def test_what_a_function_returns_is_looked_at() -> None:
    one = np.ones((1, 2))
    for actions, message in (
        ({"head": one}, "tail: no action"),
        ({"head": one, "tail": np.ones(2)}, r"tail: an action has shape \(2,\), expected \(1, 2\)"),
        ({"head": one * np.nan, "tail": one}, "head: an action is .*nan.*, expected finite"),
        (None, "the policy returned None"),
    ):
        with pytest.raises(omiga.Error, match=message):
            omiga.evaluate(Drives(), lambda *_, actions=actions: actions, 1, max_steps=2)


def test_choices_are_whole_numbers_of_the_space() -> None:
    for choice in (0, 4, 1.5, "1", True, 2**40):
        with pytest.raises(omiga.Error, match="runner_0: an action is .*, expected a whole number from 1 to 3"):
            omiga.evaluate(Relay(), lambda seen, infos, choice=choice: dict.fromkeys(seen, choice), 1)
    assert omiga.evaluate(Relay(), lambda seen, infos: dict.fromkeys(seen, np.int64(3)), 1).lengths == [4]


def test_masks_and_agents_are_looked_at() -> None:
    class Odd(Relay):
        def __init__(self, mask: Any = None, agents: list[str] | None = None) -> None:
            super().__init__()
            self.mask, self.first = mask, agents

        def reset(self, seed: int | None = None, options: Any = None) -> Any:
            observations, infos = super().reset(seed)
            self.acting = self.acting if self.first is None else self.first
            return observations, infos

        def _observe(self, agents: list[str]) -> dict[str, Any]:
            seen = super()._observe(agents)
            return {agent: own if self.mask is None else {**own, "action_mask": self.mask} for agent, own in seen.items()}

    for env, message in (
        (Odd(mask=[0, 0, 0]), "runner_0: no action is available"),
        (Odd(mask=[1, 1]), r"runner_0: an action mask has shape \(2,\), expected \(3,\)"),
        (Odd(agents=[]), "nobody acts after `reset`"),
        (Odd(agents=["runner_7"]), r"\['runner_7'\] act, who are not among"),
    ):
        with pytest.raises(omiga.Error, match=message):
            omiga.evaluate(env, "random", 1)


def test_what_an_environment_returns_is_looked_at(models: Path, tmp_path: Path) -> None:
    for policy in ("random", omiga.Team(models / "spread")):
        for fault, message in (
            (lambda seen, rewards: seen.update(agent_1=np.full(18, np.nan)), "finite"),
            (lambda seen, rewards: seen.pop("agent_1"), "agent_1: no observation"),
            (lambda seen, rewards: rewards.update(agent_1=np.inf), "agent_1: the reward is inf"),
            (lambda seen, rewards: rewards.update(agent_1=None), "rewards are .*None.*, expected a number"),
            (lambda seen, rewards: seen.update(agent_1="far"), "agent_1: an observation is 'far', expected numbers"),
            (lambda seen, rewards: seen.update(agent_1=np.zeros(17)), "agent_1: .*17.*, expected 18"),
        ):
            with pytest.raises(omiga.Error, match=message):
                omiga.record(Faulty(spread(), fault), policy, 1, tmp_path / "x.hdf5")
            assert list(tmp_path.iterdir()) == []


def test_agents_that_stay_in_the_list_are_gone_all_the_same(tmp_path: Path) -> None:
    class Crowded(Relay):
        """Lists everybody until the end; who is gone must not act."""

        agents = property(lambda self: self.possible_agents)

    path = tmp_path / "relay.hdf5"
    for env in (Relay(), Crowded()):
        assert omiga.record(env, "random", 2, path, seed=4, overwrite=True).returns.tolist() == [9.5] * 2
        alive = omiga.Dataset(path).alive
        assert alive is not None and alive[:5].sum(axis=1).tolist() == [3, 3, 2, 1, 1]


def spread_with_less() -> Any:
    """The right names, the wrong observations."""
    env = spread()
    env.observation_space = lambda agent: Box(-1, 1, (12,))
    return env


def test_a_file_is_not_replaced_unasked_nor_left_half_done(tmp_path: Path) -> None:
    path = tmp_path / "drives.hdf5"
    omiga.record(Drives(), "random", 1, path, max_steps=2)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        omiga.record(Drives(), "random", 1, path, max_steps=2)

    def stopped(observations: dict[str, Any], infos: dict[str, Any]) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        omiga.record(Drives(), stopped, 1, path, max_steps=2, overwrite=True)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_what_was_recorded_trains_a_team_that_plays(program: str, tmp_path: Path) -> None:
    def omiga_(*arguments: object) -> str:
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    data, run, bundle = tmp_path / "spread.hdf5", tmp_path / "run", tmp_path / "bundle"
    recorded = omiga.record(spread(), "random", 30, data)
    card = json.loads(omiga_("inspect", data, "--json"))
    assert (card["verdict"], card["episodes"], card["transitions"]) == ("ready", 30, 750)
    assert np.isclose(card["returns"]["mean"], recorded.mean, atol=1e-3)
    omiga_("train", "--data", data, "--out", run, "--set", "run.steps=60", "--threads", "1")
    omiga_("export", "--checkpoint", run, "--out", bundle)
    team = omiga.Team(bundle)
    assert team.task["name"] == "simple_spread_v3"
    assert omiga.evaluate(spread(), team, 2).lengths.tolist() == [25, 25]
    # Battles' kind: masks, choices, agents that leave.
    data, run, bundle = tmp_path / "relay.hdf5", tmp_path / "relay", tmp_path / "relay-bundle"
    omiga.record(Relay(), "random", 30, data)
    omiga_("train", "--data", data, "--out", run, "--set", "run.steps=60", "--threads", "1")
    omiga_("export", "--checkpoint", run, "--out", bundle)
    assert omiga.evaluate(Relay(), bundle, 3).returns.tolist() == [9.5] * 3
