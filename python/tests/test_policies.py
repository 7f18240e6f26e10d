"""Policies and teams: the native engine behind numpy arrays."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import omiga


def observations(rows: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(rows, width)).astype(np.float32)


def test_a_step_is_onnx_runtimes(models: Path) -> None:
    policy = omiga.Policy(models / "spread", "agent_1")
    session = onnxruntime.InferenceSession(models / "spread/agent_1.onnx", providers=["CPUExecutionProvider"])
    obs = observations(50, 18)
    expected = session.run(None, {"obs": obs})[0]
    found = policy.step(obs)
    assert found.shape == (50, 5) and found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5
    assert np.ptp(found) > 0.1


def test_rows_together_are_rows_alone_however_they_are_given(models: Path) -> None:
    policy = omiga.Policy(models / "spread", "agent_0")
    obs = observations(6, 18)
    alone = np.stack([policy.step(row) for row in obs])
    assert alone[0].shape == (5,)
    assert np.array_equal(policy.step(obs), alone)
    assert np.array_equal(policy.step(obs.reshape(2, 3, 18)), alone.reshape(2, 3, 5))
    assert np.array_equal(policy.step(obs.astype(np.float64)), alone)
    assert np.array_equal(policy.step(obs.tolist()), alone)
    assert np.array_equal(policy.step(np.asfortranarray(obs)), alone)
    assert np.array_equal(policy.step(obs.astype(">f4")), alone)
    unaligned = np.frombuffer(b" " + obs.tobytes(), np.float32, offset=1).reshape(obs.shape)
    assert np.array_equal(policy.step(unaligned), alone)
    assert np.array_equal(policy.step(np.repeat(obs, 2, axis=1)[:, ::2]), alone)
    assert policy.step(obs[:0]).shape == (0, 5)


def test_a_policy_says_what_it_is(models: Path) -> None:
    policy = omiga.Policy(models / "spread", agent="agent_2", task="spread")
    assert (policy.name, policy.obs_dim, policy.action_dim, policy.is_discrete) == ("agent_2", 18, 5, False)
    assert policy.contract["obs"][0]["name"] and policy.identity["task"] == "spread"
    assert policy.engine.startswith("native, ") and "agent_2" in repr(policy)
    cases, difference = policy.run_self_test()
    assert cases > 0 and difference < 1e-5
    policy.reset()
    portable = omiga.Policy(models / "spread", "agent_2", isa="portable", weights="f32")
    assert portable.engine == "native, portable"


def test_a_lone_file_acts_and_has_no_test(models: Path) -> None:
    lone, tested = omiga.Policy(models / "spread/agent_0.onnx"), omiga.Policy(models / "spread", "agent_0")
    obs = observations(3, 18)
    assert np.array_equal(lone.step(obs), tested.step(obs)) and lone.identity is None
    with pytest.raises(omiga.PolicyError, match="no golden vectors"):
        lone.run_self_test()


def test_choices_are_available_ones(models: Path) -> None:
    policy = omiga.Policy(models / "smax-3m", "ally_0")
    obs = np.abs(observations(40, policy.obs_dim)).clip(0, 1)
    free = policy.choose(obs)
    assert free.shape == (40,) and free.dtype == np.int64
    mask = np.ones((40, 8), bool)
    mask[np.arange(40), free] = False
    other = policy.choose(obs, mask)
    assert (other != free).all() and mask[np.arange(40), other].all()
    assert np.array_equal(policy.choose(obs, mask.astype(np.int8)), other)
    one = policy.choose(obs[0])
    assert isinstance(one, int) and one == free[0]
    with pytest.raises(omiga.StepError, match="no action is available"):
        policy.choose(obs[0], np.zeros(8, bool))
    with pytest.raises(omiga.StepError, match="action mask has 7 values, expected 8"):
        policy.choose(obs[0], np.ones(7, bool))
    with pytest.raises(omiga.StepError, match="call `choose`"):
        policy.step(obs[0])


def test_what_gets_no_action_is_an_exception(models: Path) -> None:
    policy = omiga.Policy(models / "spread", "agent_0")
    obs = observations(1, 18)[0]
    obs[3] = np.nan
    for error in (omiga.StepError, omiga.Error, Exception):
        with pytest.raises(error, match="observation is not finite at 3"):
            policy.step(obs)
    with pytest.raises(omiga.StepError, match="beyond 1e16 at 17"):
        policy.step(np.append(np.zeros(17), 1e17))
    # numpy warns of it, too.
    with np.errstate(over="ignore"), pytest.raises(omiga.StepError, match="not finite at 0"):
        policy.step(np.full(18, 1e300))
    for wrong in (np.zeros(17), np.zeros((18, 1)), 1.0):
        with pytest.raises(omiga.StepError, match="expected 18"):
            policy.step(wrong)
    with pytest.raises((TypeError, ValueError)):
        policy.step("speed")


def test_what_is_not_loaded_is_an_exception(models: Path, tmp_path: Path) -> None:
    def refused(message: str, *args: object, **options: object) -> None:
        with pytest.raises(omiga.PolicyError, match=message):
            omiga.Policy(*args, **options)

    spread = models / "spread"
    refused("3 agents and none was chosen", spread)
    refused("no agent `drone`", spread, "drone")
    refused("No such file", tmp_path / "none", "agent_0")
    refused("task is spread, expected hopper", spread, "agent_0", task="hopper")
    refused("release is no number, expected 3 or later", spread, "agent_0", least_release=3)
    refused("expected `f32` or `f16`", spread, "agent_0", weights="int8")
    refused("instruction set is `sse`", spread, "agent_0", isa="sse")
    refused("key", spread, "agent_0", public_key="no key")
    key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
    refused("sign", spread, "agent_0", public_key=key)
    copy = shutil.copytree(spread, tmp_path / "copy")
    weights = bytearray((copy / "agent_0.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (copy / "agent_0.onnx").write_bytes(weights)
    refused("agent_0.onnx", copy, "agent_0")


def test_a_team_is_its_policies(models: Path) -> None:
    folder = models / "halfcheetah-6x1-local"
    team = omiga.Team(folder)
    assert len(team) == 6 and team.names == [f"agent_{i}" for i in range(6)]
    assert (team.obs_dim, team.action_dim, team.is_discrete) == (9, 1, False)
    assert team.task["agents"][2]["name"] == "agent_2" and team.identity["algorithm"] == "omiga"
    policies = [omiga.Policy(folder, name) for name in team.names]
    seen = {p.name: row[: p.obs_dim] for p, row in zip(policies, observations(6, 9))}
    expected = {p.name: p.step(seen[p.name]) for p in policies}
    rows = np.zeros((6, 9), np.float32)
    for row, own in zip(rows, seen.values()):
        row[: len(own)] = own
    assert np.array_equal(team.step(rows), np.stack(list(expected.values())))
    assert np.array_equal(team.step(np.asfortranarray(rows)), np.stack(list(expected.values())))
    acted = team.act(seen)
    assert acted.keys() == expected.keys() and all(np.array_equal(acted[k], expected[k]) for k in acted)
    # Whoever is left out gets nothing, and changes nothing for the others.
    some = {"agent_4": seen["agent_4"], "agent_1": seen["agent_1"]}
    assert {k: v.tolist() for k, v in team.act(some).items()} == {k: expected[k].tolist() for k in some}


def test_a_team_chooses_by_dictionary(models: Path) -> None:
    team = omiga.Team(models / "smax-3m")
    obs = np.abs(observations(3, team.obs_dim)).clip(0, 1)
    mask = np.ones((3, 8), bool)
    mask[1, :7] = False
    choices = team.choose(obs, mask)
    assert choices.shape == (3,) and choices[1] == 7
    by_name = dict(zip(team.names, choices.tolist()))
    seen, masks = dict(zip(team.names, obs)), dict(zip(team.names, mask))
    assert team.act(seen, masks) == by_name
    both = {name: {"observation": seen[name], "action_mask": masks[name]} for name in team.names}
    assert team.act(both) == by_name and all(type(choice) is int for choice in team.act(both).values())
    assert np.array_equal(team.choose(obs)[[0, 2]], choices[[0, 2]])


def test_a_teams_mistakes_name_the_agent(models: Path) -> None:
    team = omiga.Team(models / "spread")
    with pytest.raises(omiga.StepError, match="agent_1: observation has 4 values, expected 18"):
        team.act({"agent_0": np.zeros(18), "agent_1": np.zeros(4)})
    with pytest.raises(omiga.StepError, match="no agent `drone`"):
        team.act({"drone": np.zeros(18)})
    with pytest.raises(omiga.StepError, match=r"shape \[18, 3\], expected \[3, 18\]"):
        team.step(np.zeros((18, 3)))
    obs = np.zeros((3, 18))
    obs[2, 1] = np.inf
    with pytest.raises(omiga.StepError, match="agent_2: observation is not finite at 1;"):
        team.step(obs)
    with pytest.raises(omiga.StepError, match="agent_1: observation is beyond 1e16 at 17;"):
        team.act({"agent_0": np.zeros(18), "agent_1": np.append(np.zeros(17), 1e17)})
    with pytest.raises(omiga.StepError, match=r"agent_0: a dictionary of \['obs'\], expected"):
        team.act({"agent_0": {"obs": np.zeros(18)}})
    battle = omiga.Team(models / "smax-3m")
    mask = np.arange(24).reshape(3, 8) < 16
    with pytest.raises(omiga.StepError, match="ally_2: no action is available"):
        battle.choose(np.zeros((3, battle.obs_dim)), mask)


def test_other_threads_go_on_while_a_policy_computes(models: Path) -> None:
    policy = omiga.Policy(models / "hopper-3x1", "agent_0")
    obs = np.tile(observations(1, policy.obs_dim), (300_000, 1))
    thread = threading.Thread(target=policy.step, args=(obs,))
    thread.start()
    turns = 0
    while thread.is_alive():
        turns += 1
    thread.join()
    # With the lock held until the end there would be a handful.
    assert turns > 1000


def test_threads_share_a_policy(models: Path) -> None:
    policy = omiga.Policy(models / "spread", "agent_0")
    obs = observations(2000, 18)
    expected, found = policy.step(obs), [np.empty(0)] * 4

    def work(i: int) -> None:
        found[i] = np.stack([policy.step(row) for row in obs])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(rows, expected) for rows in found)
