"""Record whole episodes of mpe2's simple_spread, number by number.

    pip install mpe2==1.1.1 pettingzoo==1.27.0 gymnasium==1.4.0 numpy==2.4.6 pygame-ce==2.5.8
    python generate.py            # rewrites spread.json and spread-discrete.json beside this file
    python generate.py --check    # compares them with this machine's mpe2, writes nothing

Python 3.11 made the committed files. Each episode starts from positions given in the file (agents at rest): drawn by
numpy in [-1, 1]^2, or clumped so that the agents overlap. The actions are uniform, "pile" (everybody pushes towards
the centre of the team, so that three agents press on each other), "chase" (all towards landmark 0), or "bounds" (each
command 0 or 1; never noop).

File: {"origin": {...}, "episodes": [{name, agents [3][2], landmarks [3][2], obs [54], steps: [...]}]}, where a step is
{"actions": [15] or [3], "obs": [54] after it, "rewards": [3], "terminated", "truncated"} and the last step of an
episode also has "positions" and "velocities" [3][2]. Positions, velocities and rewards are float64, observations and
actions float32, both written with as many digits as tell them apart.
"""

import json
import os
import platform
import sys
from importlib.metadata import version

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np
from mpe2 import simple_spread_v3

SEED = 20231210
HERE = os.path.dirname(os.path.abspath(__file__))
# name of the episode, spread of the agents' start around its centre (None: as mpe2 resets), actions
EPISODES = [
    ("uniform-0", None, "uniform"),
    ("uniform-1", None, "uniform"),
    ("bounds", None, "bounds"),
    ("clumped-uniform", 0.1, "uniform"),
    ("clumped-pile", 0.05, "pile"),
    ("pile", None, "pile"),
    ("chase", None, "chase"),
]


def floats(values):
    """float32 as the shortest text that reads back to it, float64 likewise."""
    return [float(str(v)) for v in np.asarray(values).ravel()]


def pairs(values):
    return [floats(v) for v in values]


def direction(raw, agent, kind):
    """Where `agent` wants to go, each component in [-1, 1]."""
    own = agent.state.p_pos
    centre = np.mean([a.state.p_pos for a in raw.world.agents], axis=0)
    goal = raw.world.landmarks[0].state.p_pos if kind == "chase" else centre
    return np.clip(4.0 * (goal - own), -1.0, 1.0)


def choose(raw, agent, kind, continuous, rng):
    if kind == "bounds":
        return rng.integers(0, 2, 5).astype(np.float32) if continuous else int(rng.integers(1, 5))
    if kind == "uniform":
        return rng.random(5, dtype=np.float32) if continuous else int(rng.integers(0, 5))
    ux, uy = direction(raw, agent, kind)
    if continuous:
        a = np.array([0.0, max(-ux, 0.0), max(ux, 0.0), max(-uy, 0.0), max(uy, 0.0)])
        return np.clip(a + 0.05 * rng.random(5), 0.0, 1.0).astype(np.float32)
    if max(abs(ux), abs(uy)) < 0.1:
        return 0
    return (1 if ux < 0 else 2) if abs(ux) >= abs(uy) else (3 if uy < 0 else 4)


def episode(env, name, spread, kind, continuous, seed):
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    raw = env.unwrapped
    if spread is not None:
        centre = rng.uniform(-0.5, 0.5, 2)
        for agent in raw.world.agents:
            agent.state.p_pos = centre + rng.uniform(-spread, spread, 2)
    names = list(env.possible_agents)
    record = {
        "name": name,
        "agents": pairs(a.state.p_pos for a in raw.world.agents),
        "landmarks": pairs(l.state.p_pos for l in raw.world.landmarks),
        "obs": floats(np.concatenate([raw.observe(n) for n in names])),
        "steps": [],
    }
    while env.agents:
        actions = {n: choose(raw, a, kind, continuous, rng) for n, a in zip(names, raw.world.agents)}
        obs, rewards, terminated, truncated, _ = env.step(actions)
        listed = [actions[n] for n in names]
        record["steps"].append({
            "actions": floats(np.concatenate(listed)) if continuous else listed,
            "obs": floats(np.concatenate([obs[n] for n in names])),
            "rewards": floats(np.array([rewards[n] for n in names], dtype=np.float64)),
            "terminated": any(terminated.values()),
            "truncated": any(truncated.values()),
        })
    record["steps"][-1]["positions"] = pairs(a.state.p_pos for a in raw.world.agents)
    record["steps"][-1]["velocities"] = pairs(a.state.p_vel for a in raw.world.agents)
    return record


def collisions(record):
    """Steps in which agents overlap, from the relative positions in the observations."""
    def overlap(step):
        rel = np.array(step["obs"]).reshape(3, 18)[:, 10:14].reshape(6, 2)
        return (np.hypot(rel[:, 0], rel[:, 1]) < 0.3).any()
    return sum(overlap(s) for s in record["steps"])


def task(continuous):
    env = simple_spread_v3.parallel_env(N=3, local_ratio=0.5, max_cycles=25, continuous_actions=continuous)
    made = [episode(env, n, s, k, continuous, SEED + i) for i, (n, s, k) in enumerate(EPISODES)]
    packages = ["mpe2", "pettingzoo", "gymnasium", "numpy"]
    origin = {"script": "generate.py", "seed": SEED, "python": platform.python_version()}
    return {"origin": origin | {p: version(p) for p in packages}, "episodes": made}


def text(fixture):
    """JSON with one step a line."""
    compact = lambda v: json.dumps(v, separators=(",", ":"))
    episodes = []
    for e in fixture["episodes"]:
        head = compact({k: v for k, v in e.items() if k != "steps"})[:-1]
        episodes.append(head + ',"steps":[\n' + ",\n".join(map(compact, e["steps"])) + "\n]}")
    return '{"origin":' + compact(fixture["origin"]) + ',\n"episodes":[\n' + ",\n".join(episodes) + "\n]}\n"


def largest_difference(a, b):
    if isinstance(a, dict):
        return max([largest_difference(a[k], b[k]) for k in a], default=0.0)
    if isinstance(a, list):
        assert len(a) == len(b)
        return max([largest_difference(x, y) for x, y in zip(a, b)], default=0.0)
    if isinstance(a, str):
        return 0.0 if a == b else float("inf")
    return abs(a - b)


def main():
    for name, continuous in [("spread", True), ("spread-discrete", False)]:
        fixture = task(continuous)
        path = os.path.join(HERE, f"{name}.json")
        if "--check" in sys.argv[1:]:
            with open(path) as f:
                worst = largest_difference(json.load(f)["episodes"], fixture["episodes"])
            print(f"{name}: largest difference {worst:.3g}")
            if not worst <= 1e-9:
                sys.exit(1)
            continue
        with open(path, "w") as f:
            f.write(text(fixture))
        for e in fixture["episodes"]:
            total = sum(np.mean(s["rewards"]) for s in e["steps"])
            print(f"{name}/{e['name']}: {len(e['steps'])} steps, {collisions(e)} with contact, return {total:.3f}")


if __name__ == "__main__":
    main()
