"""Battles of `jaxmarl`'s SMAX (`HeuristicEnemySMAX`), for crates/env/src/smax/tests.

    python3 -m venv venv
    venv/bin/pip install jaxmarl==0.2.0 jax==0.10.2 flax==0.12.8 numpy==2.4.6 safetensors==0.8.0
    JAX_PLATFORMS=cpu venv/bin/python generate.py

`--out`, `--seed` and `--map` make other battles elsewhere, which `make interop` replays. See README.md for the fields. The numbers
depend on versions and arguments alone.

Every random number that a step takes is derived again from the step's key and stored, and it is asserted that the stored draws
explain what happened (enemies' moves, cooldowns, beginnings), so that nobody who reads them needs JAX's generator.
"""

import argparse
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxmarl.environments.smax import HeuristicEnemySMAX, map_name_to_scenario
from safetensors.numpy import save_file

F, I, B = np.float32, np.int32, np.uint8
HERE = Path(__file__).resolve().parent
LIMIT = 101
# Kept battles: seed, every how many steps observations are kept, steps of `random_0` with all their world steps.
KEPT = {"3m": (101, 4, 2), "2s3z": (102, 5, 3), "5m_vs_6m": (103, 6, 0), "3s5z_vs_3s6z": (104, 10, 0), "smacv2_5_units": (105, 6, 0)}
MAPS = ["3m", "8m", "25m", "2s3z", "3s5z", "5m_vs_6m", "10m_vs_11m", "27m_vs_30m", "3s5z_vs_3s6z", "3s_vs_5z", "6h_vs_8z",
        "smacv2_5_units", "smacv2_10_units", "smacv2_20_units"]
ROW = 13  # Numbers about another unit in an observation.
MOVES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0], [0, 0]], F)


def random_legal(rng, mask, units):
    return np.array([rng.choice(np.flatnonzero(row)) for row in mask], I)


def any_action(rng, mask, units):
    return rng.integers(0, mask.shape[1], size=mask.shape[0]).astype(I)


def focus_fire(rng, mask, units):
    """Shoot the weakest in range, else walk to the nearest living enemy along the longer axis."""
    n = mask.shape[0]
    position, health, alive = units["pos"], units["health"], units["alive"]
    actions = np.full(n, 4, I)
    enemies = [j for j in range(n, len(health)) if alive[j]]
    for i in range(n):
        if not alive[i] or not enemies:
            continue
        in_range = [j for j in enemies if mask[i, 5 + j - n]]
        if in_range:
            actions[i] = 5 + min(in_range, key=lambda j: (health[j], j)) - n
        else:
            d = position[enemies] - position[i]
            dx, dy = d[np.argmin((d * d).sum(1))]
            actions[i] = int(np.argmax(np.array([dy, dx, -dy, -dx], F)))
    return actions


def always(action):
    return lambda rng, mask, units: np.full(mask.shape[0], action, I)


POLICIES = {"random": random_legal, "any": any_action, "focus": focus_fire, "walk_up": always(0), "stop": always(4)}


def draws_of_step(env, key):
    """Noise of cooldowns [world steps, units] and the enemies' uniform numbers that a step's key stands for."""
    key, action_key = jax.random.split(key)
    goals = [jax.random.uniform(jax.random.split(k)[0]) for k in jax.random.split(action_key, env.num_enemies)]
    dt, units = env.time_per_step, env.num_allies + env.num_enemies
    rows = []
    for _ in range(env.world_steps_per_env_step):
        key, world_key = jax.random.split(key)
        uniform = jax.vmap(lambda k: jax.random.uniform(k, minval=-dt, maxval=2 * dt))
        rows.append(uniform(jax.random.split(world_key, units)))
    return jnp.stack(rows), jnp.stack(goals), action_key


def start_of(env, key):
    """Where the units are put before they push each other."""
    _, allies, enemies = jax.random.split(jax.random.split(key)[1], 3)
    near = lambda k, n: np.asarray(jax.random.uniform(k, (n, 2), minval=-2, maxval=2))  # noqa: E731
    at = lambda x: np.array([x, 16], F)  # noqa: E731
    return np.concatenate([at(8) + near(allies, env.num_allies), at(24) + near(enemies, env.num_enemies)]).astype(F)


def units_of(state):
    return {"pos": np.asarray(state.unit_positions), "health": np.asarray(state.unit_health),
            "cd": np.asarray(state.unit_weapon_cooldowns), "alive": np.asarray(state.unit_alive).astype(B)}


def crowd(n, m):
    """Units that overlap near a wall: they are pushed out of the map."""
    rng = np.random.default_rng(5)
    allies = np.array([0.6, 16], F) + rng.uniform(-0.5, 0.5, (n, 2)).astype(F)
    enemies = np.array([3.0, 16], F) + rng.uniform(-0.6, 0.6, (m, 2)).astype(F)
    return np.concatenate([allies, enemies]).astype(F)


class Recorder:
    def __init__(self, name: str) -> None:
        self.scenario = map_name_to_scenario(name)
        self.env = HeuristicEnemySMAX(scenario=self.scenario)
        self.n, self.m = self.env.num_allies, self.env.num_enemies
        self.draws = jax.jit(lambda key: draws_of_step(self.env, key))
        self.enemies_act = jax.jit(self.env.get_enemy_actions)
        self.observe_all = jax.jit(self.env._env.get_obs_unit_list)

    def enemy_obs(self, s):
        obs = self.observe_all(s.state)
        return jnp.stack([obs[name] for name in self.env.enemy_agents])

    def begin(self, seed, start, start_step, fields):
        key, reset_key = jax.random.split(jax.random.PRNGKey(seed))
        obs, s = self.env.reset(reset_key)
        if start is not None:
            s = s.replace(state=s.state.replace(unit_positions=jnp.asarray(start, F)))
            obs = self.env.get_obs(s) | {"world_state": self.env.get_world_state(s)}
        elif not self.scenario.smacv2_position_generation:
            fields["start_before_push"] = start_of(self.env, reset_key)
        if start_step:
            s = s.replace(state=s.state.replace(step=jnp.array(start_step)))
        fields["unit_types"] = np.asarray(s.state.unit_types).astype(B)
        return key, obs, s

    def look(self, s, obs, t, keep, rows):
        mask = self.env.get_avail_actions(s)
        rows["avail"].append(np.stack([np.asarray(mask[name]) for name in self.env.agents]).astype(B))
        rows["state"].append(np.asarray(obs["world_state"]))
        rows["enemy_last"].append(np.asarray(s.enemy_policy_state.last_attacked_enemy).astype(I))
        for name, value in units_of(s.state).items():
            rows[name].append(value)
        if keep:
            rows["obs_steps"].append(I(t))
            rows["obs"].append(np.stack([np.asarray(obs[name]) for name in self.env.agents]))
            rows["enemy_obs"].append(np.asarray(self.enemy_obs(s)))

    def goals_of(self, s, s2, eo, actions, goals):
        """Slots of the allies that enemies walk to; the enemies' actions are what the environment played."""
        n, m = self.n, self.m
        played, shots = (np.asarray(x)[n:] for x in (s2.state.prev_movement_actions, s2.state.prev_attack_actions))
        chosen, first = np.full(m, -1, I), ROW * (m - 1)
        for j, action in enumerate(actions):
            assert np.allclose(played[j], MOVES[min(action, 4)] if action < 5 else MOVES[4], atol=1e-6)
            assert shots[j] == (action if action > 4 else 0)
            seen = np.flatnonzero(eo[j, first : first + ROW * n : ROW] > 0)
            if action < 5 and len(seen):
                chosen[j] = seen[min(int((1.0 - float(goals[j])) * len(seen) - 1e-7), len(seen) - 1)]
                position = np.asarray(s.state.unit_positions)
                dx, dy = position[n - 1 - chosen[j]] - position[n + j]
                gains = np.array([dy, dx, -dy, -dx])
                assert gains[action] > gains.max() - 1e-4, (j, action, gains)
        return chosen

    def check_cooldowns(self, s, s2, noise):
        """Who fired in world step w has its type's cooldown and its noise, less what passed since."""
        types = np.asarray(s.state.unit_types)
        full = np.asarray(self.env._env.unit_type_weapon_cooldowns)[types]
        before, after = (np.asarray(x.state.unit_weapon_cooldowns) for x in (s, s2))
        for i in np.flatnonzero(np.abs(after - (before - 0.5)) > 1e-4):
            assert min(abs(full[i] + noise[w, i] - 0.0625 * (7 - w) - after[i]) for w in range(8)) < 1e-4

    def battle(self, policy, seed, every, limit=LIMIT, start_step=0, world_steps=0, start=None):
        """Fields of a battle, and what is said about it."""
        env, rng, fields = self.env, np.random.default_rng(seed * 7919 + 13), {}
        rows = {name: [] for name in ("avail", "state", "enemy_last", "pos", "health", "cd", "alive", "obs_steps", "obs", "enemy_obs",
                                      "ally_actions", "enemy_actions", "enemy_u", "enemy_choice", "noise", "reward", "done", "ally_done",
                                      "sub_pos", "sub_health", "sub_cd")}
        key, obs, s = self.begin(seed, start, start_step, fields)
        self.look(s, obs, 0, True, rows)
        t, done = 0, False
        while not done and t < limit:
            actions = POLICIES[policy](rng, rows["avail"][-1], units_of(s.state))
            key, step_key = jax.random.split(key)
            noise, goals, action_key = self.draws(step_key)
            eo = self.enemy_obs(s)
            enemies, _ = self.enemies_act(action_key, s.enemy_policy_state, eo)
            enemies = np.array([int(enemies[name]) for name in env.enemy_agents], I)
            joint = {name: jnp.array(actions[i]) for i, name in enumerate(env.agents)}
            if t < world_steps:
                trail = env.step_env(step_key, s, joint, True)
                for name, x in zip(("sub_pos", "sub_health", "sub_cd"),
                                   (trail.unit_positions, trail.unit_health, trail.unit_weapon_cooldowns)):
                    rows[name].append(np.asarray(x))
            obs, s2, rewards, dones, _ = env.step_env(step_key, s, joint)
            rows["enemy_choice"].append(self.goals_of(s, s2, np.asarray(eo), enemies, goals))
            self.check_cooldowns(s, s2, np.asarray(noise))
            s, done = s2, bool(dones["__all__"])
            for name, x in (("ally_actions", actions), ("enemy_actions", enemies), ("enemy_u", np.asarray(goals)),
                            ("noise", np.asarray(noise)), ("reward", F(rewards[env.agents[0]])), ("done", B(done)),
                            ("ally_done", np.array([bool(dones[name]) for name in env.agents], B))):
                rows[name].append(x)
            t += 1
            self.look(s, obs, t, done or t == limit or t < 3 or t % every == 0, rows)
        fields |= {name: np.stack(x) for name, x in rows.items() if x}
        fields["enemy_default"] = np.asarray(s.enemy_policy_state.default_target).astype(F)
        rewards = fields["reward"]
        about = {"policy": policy, "seed": seed, "steps": t, "start_step": start_step, "done": done,
                 "ret": float(rewards.sum()), "won": bool(done and rewards[-1] >= 1.0)}
        return fields, about


def kept_cases(seed, every, world_steps, n, m):
    yield "random_0", {"policy": "random", "seed": seed, "world_steps": world_steps}
    yield "focus_0", {"policy": "focus", "seed": seed + 1000}
    yield "any_0", {"policy": "any", "seed": seed + 2000}
    yield "random_1", {"policy": "random", "seed": seed + 3000}
    yield "focus_1", {"policy": "focus", "seed": seed + 4000}
    yield "walk_up", {"policy": "walk_up", "seed": seed + 5000}
    yield "late", {"policy": "random", "seed": seed + 6000, "start_step": 96}
    yield "crowd", {"policy": "stop", "seed": seed + 7000, "world_steps": 2, "start": crowd(n, m), "limit": 6}


def new_cases(seed):
    for i, policy in enumerate(("random", "focus", "any")):
        yield policy, {"policy": policy, "seed": seed + 1000 * i}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--map", action="append", choices=MAPS, help="default: the kept ones, with --seed all")
    parser.add_argument("--seed", type=int, help="of new battles: three a map")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.map or (KEPT if args.seed is None else MAPS):
        recorder = Recorder(name)
        if args.seed is None:
            seed, every, world_steps = KEPT[name]
            cases = kept_cases(seed, every, world_steps, recorder.n, recorder.m)
        else:
            every, cases = 10, new_cases(args.seed)
        tensors, abouts = {}, {}
        for case, arguments in cases:
            fields, abouts[case] = recorder.battle(every=every, **arguments)
            tensors |= {f"{case}/{field}": np.ascontiguousarray(x) for field, x in fields.items()}
        about = {"map": name, "n_allies": recorder.n, "n_enemies": recorder.m, "cases": abouts}
        save_file(tensors, args.out / f"{name}.safetensors", metadata={"smax": json.dumps(about)})
        steps = sum(case["steps"] for case in abouts.values())
        print(f"{name}: {len(abouts)} battles, {steps} steps", flush=True)


if __name__ == "__main__":
    main()
