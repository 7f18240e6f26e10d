"""Datasets of every format as arrays, and what is written is what is read."""

from __future__ import annotations

import gc
from pathlib import Path

import h5py
import numpy as np
import pytest

import omiga

FORMATS = {
    "alberdice_npy/rware_tiny/buffer_expert": ("pymarl-npy", {}),
    "cfcql_h5/5m_vs_6m_mixed.h5": ("pymarl-hdf5", {}),
    "d3rlpy/cont.h5": ("d3rlpy", {}),
    "d3rlpy/discrete.h5": ("d3rlpy", {"last_state": "repeat"}),
    "d4rl_h5/walker2d_random-v0.hdf5": ("d4rl", {"time_limit": 5}),
    "madt/5m_vs_6m/good": ("smac-pickles", {}),
    "minari/datasets/toy": ("minari", {}),
    "omar_npy/simple_tag/expert/seed_0_data": ("omar-npy", {"team_reward": "sum"}),
    "rllib_json/out": ("rllib-json", {}),
    "torchrl/memmap": ("torchrl", {}),
    "vault/uids.vlt/Good": ("vault", {}),
    "vault/cont.vlt": ("vault", {}),
}


@pytest.mark.parametrize("path", FORMATS)
def test_every_format_is_read(formats: Path, path: str) -> None:
    expected, options = FORMATS[path]
    folder = formats / path
    # Minari's datasets lie deeper, and a version is part of their names.
    while expected == "minari" and not (folder / "data/metadata.json").exists():
        folder = sorted(f for f in folder.iterdir() if f.is_dir())[0]
    data = omiga.Dataset(folder, **options)
    card = data.card()
    assert data.format == expected == card["format"]
    assert (len(data.episodes), len(data.rewards)) == (card["episodes"], card["rows"])
    assert len(data.steps) == card["transitions"]
    returns = [float(episode.rewards.astype(np.float64).sum()) for episode in data.episodes]
    assert np.isclose(np.mean(returns), card["returns"]["mean"], rtol=1e-9, atol=1e-9)
    obs = data.obs[data.steps].reshape(-1, data.obs.shape[-1]).astype(np.float64)
    assert np.allclose(obs.mean(axis=0), [field["values"]["mean"] for field in card["fields"]], atol=1e-6)
    rows, agents = data.obs.shape[:2]
    assert agents == len(data.task["agents"]) and data.state.shape[0] == rows == len(data.actions)


def test_episodes_are_views(formats: Path) -> None:
    data = omiga.Dataset(formats / "cfcql_h5/5m_vs_6m_mixed.h5")
    rows = 0
    for episode in data.episodes:
        length = len(episode)
        assert len(episode.obs) == len(episode.state) == length + 1 == len(episode.actions) + 1
        for view, whole in ((episode.obs, data.obs), (episode.actions, data.actions), (episode.rewards, data.rewards)):
            assert np.shares_memory(view, whole)
        assert episode.action_mask is not None and episode.action_mask.dtype == bool
        assert np.take_along_axis(episode.action_mask[:-1], episode.actions[..., None].astype(int), 2).all()
        rows += length + 1
    assert rows == len(data.rewards)
    with pytest.raises(ValueError, match="read-only"):
        data.obs[0] = 0
    with pytest.raises(ValueError, match="WRITEABLE"):
        data.obs.setflags(write=True)
    assert "episodes" in repr(data)


def test_an_array_outlives_its_dataset(formats: Path) -> None:
    kept = []
    for _ in range(10):
        kept.append(omiga.Dataset(formats / "d3rlpy/cont.h5").episodes[1].obs)
        gc.collect()
    assert all(np.array_equal(obs, kept[0]) for obs in kept) and np.ptp(kept[0]) > 1


def test_mistakes_are_exceptions(formats: Path, tmp_path: Path) -> None:
    with pytest.raises(omiga.DatasetError, match="none.h5"):
        omiga.Dataset(tmp_path / "none.h5")
    with pytest.raises(omiga.Error, match="unknown field `limit`"):
        omiga.Dataset(formats / "d3rlpy/cont.h5", limit=3)
    (tmp_path / "notes.txt").write_text("no dataset")
    with pytest.raises(omiga.DatasetError, match="no dataset known here"):
        omiga.Dataset(tmp_path / "notes.txt")


TASK = {
    "name": "belt",
    "period_ns": 200_000_000,
    "agents": [
        {
            "name": name,
            "obs": [{"name": "speed", "unit": "m/s", "range": {"low": 0.0, "high": 2.0}}],
            "action": {"continuous": [{"name": "torque", "unit": "N m", "range": {"low": 0.0, "high": 600.0}}]},
        }
        for name in ("head", "tail")
    ],
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "belt.hdf5"
    speeds, torques = np.array([0.9, 1.0, 1.1], np.float32), np.array([[0.0], [600.0]])
    with omiga.Writer(path, TASK, state_dim=1) as writer:
        for speed in speeds:
            writer.push_step([[speed], [speed]], torques, -abs(speed - 1), state=[speed], alive=[True, speed < 1])
        assert not path.exists()
        writer.end_episode([[1.2], [1.2]], terminated=True, state=[1.2], alive=[True, False])
    data = omiga.Dataset(path)
    assert data.task == TASK and data.stored_obs == {"kind": "raw"} and data.repaired == []
    (episode,) = data.episodes
    assert episode.terminated and len(episode) == 3
    assert np.array_equal(episode.obs[:3, 1, 0], speeds) and episode.obs[3, 0, 0] == np.float32(1.2)
    assert np.array_equal(episode.state[:3, 0], speeds)
    assert episode.alive is not None and episode.alive.tolist() == [[True, True], [True, False], [True, False], [True, False]]
    assert np.array_equal(episode.actions[0], [[-1], [1]])
    assert np.array_equal(data.physical_actions()[:3], np.tile(torques, (3, 1, 1)))
    with h5py.File(path) as file:
        assert np.array_equal(file["o"][()], data.obs) and np.array_equal(file["a"][()], data.actions)
        assert np.array_equal(file["alive"][()].astype(bool), data.alive)


def test_choices_have_no_units(formats: Path) -> None:
    data = omiga.Dataset(formats / "d3rlpy/discrete.h5", last_state="repeat")
    with pytest.raises(omiga.DatasetError, match="choices, which have no units"):
        data.physical_actions()


def test_what_cannot_be_is_not_written(tmp_path: Path) -> None:
    path, zeros = tmp_path / "belt.hdf5", np.zeros((2, 1))

    def refused(message: str, **changed: object) -> None:
        with pytest.raises(omiga.DatasetError, match=message), omiga.Writer(path, TASK) as writer:
            writer.push_step(**{"obs": zeros, "actions": zeros, "reward": 0.0, **changed})
        assert list(tmp_path.iterdir()) == []

    refused("action is .*, expected within its bounds", actions=[[0], [601]])
    refused(r"obs has shape \[1, 2\], expected \[2, 1\]", obs=zeros.T)
    refused(r"alive has shape \[1\], expected \[2\]", alive=[True])
    refused("state", state=[1.0])
    refused("finite", reward=float("nan"))
    with pytest.raises(omiga.Error, match="missing field `agents`"):
        omiga.Writer(path, {"name": "belt"})
    with pytest.raises(omiga.DatasetError, match="range of `speed`"):
        task = {**TASK, "agents": [{**TASK["agents"][0], "obs": [{"name": "speed", "range": {"low": 1, "high": 0}}]}]}
        omiga.Writer(path, task)
    writer = omiga.Writer(path, TASK)
    with pytest.raises(omiga.DatasetError, match="at least one episode"):
        writer.finish()
    with pytest.raises(omiga.DatasetError, match="finished"):
        writer.push_step(zeros, zeros, 0.0)


def test_choices_are_whole_numbers(tmp_path: Path) -> None:
    agent = {"obs": [{"name": "x"}], "action": {"discrete": ["left", "right"]}}
    task = {"name": "doors", "agents": [{"name": name, **agent} for name in ("a", "b")]}
    writer, obs = omiga.Writer(tmp_path / "doors.hdf5", task), np.zeros((2, 1))
    for wrong, message in (([0.5, 1], "whole numbers"), ([0, 2], "below 2"), ([-1, 0], "from 0 on"), ([0], "shape")):
        with pytest.raises(omiga.DatasetError, match=message):
            writer.push_step(obs, wrong, 0.0)
    with pytest.raises(omiga.DatasetError, match="available"):
        writer.push_step(obs, [0, 1], 0.0, action_mask=[[1, 0], [1, 0]])
    writer.push_step(obs, np.array([0, 1], np.int8), 0.0, action_mask=[[1, 0], [0, 1]])
    writer.end_episode(obs, terminated=False)
    writer.finish()
    data = omiga.Dataset(tmp_path / "doors.hdf5")
    assert data.actions[0].tolist() == [0, 1] and data.action_mask is not None
    assert data.action_mask[0].tolist() == [[True, False], [False, True]] and not data.episodes[0].terminated
