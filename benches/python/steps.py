"""A step of a policy through Python: this package beside onnxruntime's sessions, on the same files, in turns.

Each measurement is a loop over observations made beforehand, seconds of the process divided by its steps; rounds alternate
and medians are told. onnxruntime is measured twice: `InferenceSession.run` with numpy arrays, and `run_with_iobinding`
with buffers that were bound once and are written in place. Before that all must give the same actions.

    python benches/python/steps.py --out target/bench/python.json
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

import omiga

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches"))
from whole_files import write_rows  # noqa: E402

Step = Callable[[np.ndarray], object]

POLICIES = ("spread", "hopper-3x1", "halfcheetah-6x1-local", "smax-3m")
TEAMS = ("spread", "halfcheetah-6x1-local")


class Bound:
    """A session whose buffers are bound once."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.feed = {i.name: np.zeros((1, i.shape[1]), np.float32) for i in self.session.get_inputs()}
        if "action_mask" in self.feed:
            self.feed["action_mask"] = np.ones_like(self.feed["action_mask"], dtype=bool)
        self.binding = self.session.io_binding()
        # Values over numpy's own memory: whatever is written into the arrays is the input.
        self.values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in self.feed.items()}
        for name, value in self.values.items():
            self.binding.bind_ortvalue_input(name, value)
        for name in ["action"]:
            self.binding.bind_output(name, "cpu")

    def run(self, obs: np.ndarray) -> np.ndarray:
        self.feed["obs"] = obs[None]
        return self.session.run(["action"], self.feed)[0]

    def run_bound(self, obs: np.ndarray) -> np.ndarray:
        self.values["obs"].update_inplace(obs[None])
        self.session.run_with_iobinding(self.binding)
        return self.binding.get_outputs()[-1].numpy()


def agree(ours: Step, theirs: list[Step], obs: np.ndarray, what: str) -> None:
    for row in obs[:20]:
        expected = np.asarray(ours(row), np.float64)
        for step in theirs:
            difference = np.abs(np.asarray(step(row), np.float64).reshape(expected.shape) - expected).max()
            if not difference < 1e-4:
                sys.exit(f"steps: {what}: actions differ by {difference}")


def seconds(step: Step, obs: np.ndarray) -> float:
    begin = time.process_time()
    for row in obs:
        step(row)
    return (time.process_time() - begin) / len(obs)


def measure(what: str, ways: dict[str, Step], obs: np.ndarray, rounds: int) -> dict[str, object]:
    """Microseconds a step of each way, and how many times ours the others are."""
    ours, *theirs = ways.values()
    agree(ours, theirs, obs, what)
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, step in ways.items():
            found[way].append(1e6 * seconds(step, obs))
    row: dict[str, object] = {"step": what}
    medians = {way: statistics.median(times) for way, times in found.items()}
    row |= {f"{way} us": medians[way] for way in ways}
    return row | {f"{way} / omiga": medians[way] / medians["omiga"] for way in ways if way != "omiga"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, help="of a round")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    for name in POLICIES:
        folder = ROOT / "models" / name
        agent = omiga.Team(folder).names[0]
        policy, session = omiga.Policy(folder, agent), Bound(folder / f"{agent}.onnx")
        obs = rng.normal(size=(args.steps, policy.obs_dim)).astype(np.float32)
        ours = policy.choose if policy.is_discrete else policy.step
        ways = {"omiga": ours, "onnxruntime": session.run, "bound": session.run_bound}
        rows.append(measure(f"{name}, one agent", ways, obs, args.rounds))
    for name in TEAMS:
        folder = ROOT / "models" / name
        team = omiga.Team(folder)
        widths = [len(agent["obs"]) for agent in team.task["agents"]]
        sessions = [Bound(folder / f"{agent}.onnx") for agent in team.names]

        def together(obs: np.ndarray, run: str) -> np.ndarray:
            each = zip(sessions, obs, widths)
            return np.concatenate([getattr(session, run)(row[:width]) for session, row, width in each])

        obs = rng.normal(size=(args.steps // len(team), len(team), team.obs_dim)).astype(np.float32)
        for i, width in enumerate(widths):
            obs[:, i, width:] = 0
        ways = {
            "omiga": team.step,
            "onnxruntime": lambda obs: together(obs, "run"),
            "bound": lambda obs: together(obs, "run_bound"),
        }
        rows.append(measure(f"{name}, a team of {len(team)}", ways, obs, args.rounds))
    for row in rows:
        print("  ".join(f"{key} {value:.2f}" if isinstance(value, float) else str(value) for key, value in row.items()))
    write_rows(args.out, rows)
    slow = [row["step"] for row in rows if row["onnxruntime / omiga"] < 3]
    if slow:
        sys.exit(f"steps: less than three times as fast as onnxruntime: {slow}")


if __name__ == "__main__":
    main()
