"""Whole episodes of gymnasium-robotics' multi-agent MuJoCo, for crates/env/tests/gymnasium_robotics.rs.

    python3 -m venv venv && venv/bin/pip install gymnasium-robotics==1.4.2 gymnasium==1.4.0 mujoco==3.17.0 safetensors
    venv/bin/python generate.py

`--out` and `--seed` make other episodes elsewhere, which `make interop` replays. One file a task of ours, without the ending that
says how far an agent sees: the same actions are played for each distance. Cases: `random` (uniform actions), `fast` (the same,
beginning with velocities up to 15, as some are observed bounded) and, where models/behaviour has snapshots, `trained` (mean actions
of the last one, from the whole state). Tensors of a case: `<case>.qpos`,
`.qvel` (where the episode begins), `.actions` [T, N, A] f32 in the agents' order, `.rewards` [T], `.terminated` [1], `.observed` [K]
steps (0 is the reset) with `.state` [K, S] and, for distance k and agent i, `.obs<k>.<i>` [K, O].
"""

import importlib.util
from pathlib import Path

import numpy as np
from gymnasium_robotics import mamujoco_v1

HERE = Path(__file__).resolve().parent
TASKS = {
    "halfcheetah-6x1": ("HalfCheetah", "6x1"),
    "halfcheetah-2x3": ("HalfCheetah", "2x3"),
    "hopper-3x1": ("Hopper", "3x1"),
    "walker2d-2x3": ("Walker2d", "2x3"),
    "ant-2x4": ("Ant", "2x4"),
    "ant-4x2": ("Ant", "4x2"),
}
DISTANCES = (0, 1, 2)


def whole_robots():
    """What makes the episodes of the robots with one agent: the snapshots' actions, the options and the way to save are there."""
    spec = importlib.util.spec_from_file_location("whole", HERE.parent / "gymnasium" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def episode(envs: dict, act, seed: int, limit: int, fastest: float = 0.0) -> dict[str, np.ndarray]:
    """The same episode at all distances; rewards and states are those of the first."""
    seen = {(k, i): [] for k, env in envs.items() for i in range(len(env.possible_agents))}
    first = envs[DISTANCES[0]]
    for k, env in envs.items():
        env.reset(seed=seed)
        robot = env.single_agent_env.unwrapped
        if fastest:
            robot.set_state(robot.data.qpos, np.linspace(-fastest, fastest, robot.model.nv))
        obs = env._get_obs()
        for i, agent in enumerate(env.possible_agents):
            seen[k, i].append(obs[agent])
    data = first.single_agent_env.unwrapped.data
    case = {"qpos": data.qpos.copy(), "qvel": data.qvel.copy()}
    observed, states, actions, rewards, terminated = [0], [first.state()], [], [], False
    for step in range(1, limit + 1):
        joint = np.asarray(act(first.state()), dtype=np.float32)
        local = first.map_global_action_to_local_actions(joint)
        actions.append(np.stack([local[agent] for agent in first.possible_agents]))
        answers = {k: env.step(local) for k, env in envs.items()}
        _, reward, ends, cuts, _ = answers[DISTANCES[0]]
        rewards.append(float(reward["agent_0"]))
        terminated, truncated = bool(ends["agent_0"]), bool(cuts["agent_0"])
        last = terminated or truncated or step == limit
        if step <= 3 or step in (20, 100, 300) or last:
            observed.append(step)
            states.append(first.state())
            for k, (obs, *_rest) in answers.items():
                for i, agent in enumerate(first.possible_agents):
                    seen[k, i].append(obs[agent])
        if last:
            break
    case |= {"actions": np.array(actions), "rewards": np.array(rewards), "observed": np.array(observed, dtype=np.int64),
             "state": np.array(states), "terminated": np.array([terminated], dtype=np.int64)}
    return case | {f"obs{k}.{i}": np.array(rows) for (k, i), rows in seen.items()}


def main() -> None:
    whole = whole_robots()
    args = whole.arguments(__doc__, HERE)
    for task, (robot, division) in TASKS.items():
        envs = {k: mamujoco_v1.parallel_env(robot, division, agent_obsk=k) for k in DISTANCES}
        space = envs[DISTANCES[0]].single_agent_env.action_space
        space.seed(args.seed)
        cases = {"random": episode(envs, lambda _state, space=space: space.sample(), args.seed, 100)}
        cases["fast"] = episode(envs, lambda _state, space=space: space.sample(), args.seed + 2, 20, fastest=15.0)
        if (whole.BEHAVIOUR / f"{robot}-v5.safetensors").exists():
            # An ant alone is long; it is played in one division.
            limit = 1000 if task in ("hopper-3x1", "halfcheetah-6x1", "ant-4x2") else 100
            cases["trained"] = episode(envs, whole.trained(f"{robot}-v5"), args.seed + 1, limit)
        widths = [[env.observation_space(agent).shape[0] for agent in env.possible_agents] for env in envs.values()]
        print(task, widths, whole.save(cases, args.out / f"{task}.safetensors"))


if __name__ == "__main__":
    main()
