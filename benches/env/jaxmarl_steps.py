"""Steps of jaxmarl's SMAX per second with random legal actions, drawn in the same function; prints one line of JSON.

    JAX_PLATFORMS=cpu python jaxmarl_steps.py 5m_vs_6m 64 40000    # map, environments, steps of all of them

One environment is stepped from Python, one jitted call a step, as a user does who wants to see every step; several are stepped by
`vmap` inside `lax.scan`, its best case. Episodes that end are reset by `step` itself; observations, state and masks are made.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
from jaxmarl.environments.smax import HeuristicEnemySMAX, map_name_to_scenario

# Steps of each environment in a call.
SCANNED = 100


def main() -> None:
    name, envs, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    env = HeuristicEnemySMAX(scenario=map_name_to_scenario(name))

    def step(key, masks, state):
        key, draw, play = jax.random.split(key, 3)
        logits = jnp.where(jnp.stack([masks[agent] for agent in env.agents]) > 0, 0.0, -jnp.inf)
        choices = jax.random.categorical(draw, logits)
        actions = {agent: choices[i] for i, agent in enumerate(env.agents)}
        obs, state, rewards, dones, _ = env.step(play, state, actions)
        return key, env.get_avail_actions(state), state, obs, rewards, dones

    def begin(key):
        key, reset = jax.random.split(key)
        _, state = env.reset(reset)
        # A step's outputs have other types than a reset's, and must have the same as its inputs.
        return step(key, env.get_avail_actions(state), state)

    def scan(carry):
        body = lambda carry, _: (jax.vmap(step)(*carry[:3]), None)  # noqa: E731
        return jax.lax.scan(body, carry, None, length=SCANNED)[0]

    if envs == 1:
        carry, one, each = jax.jit(begin)(jax.random.PRNGKey(0)), jax.jit(lambda carry: step(*carry[:3])), 1
    else:
        carry, one, each = jax.jit(jax.vmap(begin))(jax.random.split(jax.random.PRNGKey(0), envs)), jax.jit(scan), SCANNED * envs
    # Twice: types that JAX holds to be weak are known only after the first call.
    for _ in range(2):
        carry = jax.block_until_ready(one(carry))
    calls = max(1, steps // each)
    start, ran = time.perf_counter(), time.process_time()
    for _ in range(calls):
        carry = one(carry)
    jax.block_until_ready(carry)
    steps, seconds, ran = calls * each, time.perf_counter() - start, time.process_time() - ran
    print(json.dumps({"steps_per_s": steps / seconds, "steps_per_processor_s": steps / ran}))


if __name__ == "__main__":
    main()
