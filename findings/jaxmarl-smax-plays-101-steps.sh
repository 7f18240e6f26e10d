#!/usr/bin/env bash
# jaxmarl 0.2.0 (jax 0.10.2): a battle of SMAX with `max_steps=100` lasts up to 101 steps, and a time limit looks like a defeat.
#
# Guess: `max_steps=100` ends an episode with its 100th step; `info` or `done` tells a time limit from an end of the task, so that
# a learner bootstraps there.
# Seen: the counter is looked at before it is incremented, so that the 101st step is the last. `done` is the same for a win, a
# defeat and the limit, and `info` is empty. Whoever takes `done` for a termination learns that nothing follows a battle that is not
# decided; whoever makes buffers of 100 steps loses the last.
#
# Here: 3m, everybody stops; the limit is near because the counter begins at 96.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check jaxmarl==0.2.0 jax==0.10.2 flax==0.12.8 numpy==2.4.6

JAX_PLATFORMS=cpu venv/bin/python - <<'PYTHON'
import jax
import jax.numpy as jnp
from jaxmarl.environments.smax import HeuristicEnemySMAX, map_name_to_scenario

env = HeuristicEnemySMAX(scenario=map_name_to_scenario("3m"))
assert env.max_steps == 100, env.max_steps
_, state = env.reset(jax.random.PRNGKey(0))
state = state.replace(state=state.state.replace(step=jnp.array(96)))
stop = {agent: jnp.array(4) for agent in env.agents}
done, steps = False, 0
while not done:
    _, state, _, dones, info = env.step_env(jax.random.PRNGKey(steps), state, stop)
    done, steps = bool(dones["__all__"]), steps + 1
alive = state.state.unit_alive
print(f"max_steps={env.max_steps}: done with step {96 + steps}, {int(alive.sum())} of 6 units alive, info {info}")
assert 96 + steps == 101, "it ends elsewhere: jaxmarl changed"
assert alive[:3].any() and alive[3:].any() and not info, "the limit can be told from a defeat: jaxmarl changed"
PYTHON
