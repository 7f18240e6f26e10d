"""Whole episodes of gymnasium's -v5 environments, for crates/env/tests/gymnasium.rs.

    python3 -m venv venv && venv/bin/pip install 'gymnasium[mujoco]==1.4.0' mujoco==3.17.0 safetensors
    venv/bin/python generate.py

`--out` and `--seed` make other episodes elsewhere, which `make interop` replays. One file a robot. Cases: `random` (uniform actions) and, where models/behaviour has snapshots, `trained` (mean actions of the last
one). Tensors of a case: `<case>.qpos`, `.qvel` (where the episode begins), `.actions` [T, A] f32, `.rewards` [T], `.observed`
[K] steps (0 is the reset) with `.obs` [K, O], `.terminated` [1]. Actions are rounded to f32 before they are played, as our
environments take f32.
"""

import argparse
from pathlib import Path

import gymnasium
import numpy as np
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).resolve().parent
BEHAVIOUR = HERE.parents[2] / "models" / "behaviour"
ROBOTS = {"hopper": "Hopper-v5", "walker2d": "Walker2d-v5", "halfcheetah": "HalfCheetah-v5", "ant": "Ant-v5"}


def trained(name: str):
    """The mean action of the newest snapshot; see models/behaviour/README.md."""
    tensors = load_file(BEHAVIOUR / f"{name}.safetensors")
    last = max(int(key.split(".")[0]) for key in tensors)
    get = {key.split(".", 1)[1]: x for key, x in tensors.items() if key.startswith(f"{last}.")}

    def act(obs: np.ndarray) -> np.ndarray:
        x = np.clip((obs - get["mean"]) / np.sqrt(get["var"] + 1e-8), -10, 10).astype(np.float32)
        h = np.tanh(get["w0"] @ x + get["b0"])
        h = np.tanh(get["w1"] @ h + get["b1"])
        return np.clip(get["w2"] @ h + get["b2"], -1, 1)

    return act


def episode(env, act, seed: int, limit: int) -> dict[str, np.ndarray]:
    obs, _ = env.reset(seed=seed)
    data = env.unwrapped.data
    case = {"qpos": data.qpos.copy(), "qvel": data.qvel.copy()}
    observed, seen, actions, rewards, terminated = [0], [obs], [], [], False
    for step in range(1, limit + 1):
        action = np.asarray(act(obs), dtype=np.float32)
        obs, reward, terminated, truncated, _ = env.step(action.astype(np.float64))
        actions.append(action)
        rewards.append(float(reward))
        last = terminated or truncated or step == limit
        if step <= 5 or step % 100 == 0 or last:
            observed.append(step)
            seen.append(obs)
        if last:
            break
    return case | {"actions": np.array(actions), "rewards": np.array(rewards), "observed": np.array(observed, dtype=np.int64),
                   "obs": np.array(seen), "terminated": np.array([terminated], dtype=np.int64)}


def arguments(doc: str, folder: Path) -> argparse.Namespace:
    """`--out`, which is made, and `--seed`."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--out", type=Path, default=folder)
    parser.add_argument("--seed", type=int, default=0, help="of the random episode; the trained one has the next")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    return args


def save(cases: dict[str, dict[str, np.ndarray]], path: Path) -> dict[str, tuple[int, float]]:
    """Write the cases; steps and return of each."""
    tensors = {f"{case}.{part}": np.ascontiguousarray(x) for case, of in cases.items() for part, x in of.items()}
    save_file(tensors, path)
    return {case: (len(of["rewards"]), round(of["rewards"].sum(), 2)) for case, of in cases.items()}


def main() -> None:
    args = arguments(__doc__, HERE)
    for robot, name in ROBOTS.items():
        env = gymnasium.make(name)
        env.action_space.seed(args.seed)
        cases = {"random": episode(env, lambda _obs, env=env: env.action_space.sample(), args.seed, 300)}
        if (BEHAVIOUR / f"{name}.safetensors").exists():
            cases["trained"] = episode(env, trained(name), args.seed + 1, 1000)
        print(robot, save(cases, args.out / f"{robot}.safetensors"))


if __name__ == "__main__":
    main()
