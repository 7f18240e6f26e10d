#!/usr/bin/env bash
# gymnasium 1.4.0 with MuJoCo 3.17.0: an episode whose simulation diverges goes on as if nothing had happened.
#
# Guess: a step in which the simulation becomes unstable raises, terminates, or returns NaN.
# Seen: MuJoCo sets the robot back to the model's first state in the middle of the step and counts a warning. gymnasium's
# HalfCheetah-v5 reports neither `terminated` nor `truncated`, every observation and reward is finite, the simulator's clock
# has jumped back, and the jump to the first state is paid for as if the robot had run: up to hundreds of millions of reward a step, of either
# sign. Whoever records such episodes records a teleport. Only `env.unwrapped.data.warning` and a line on stderr tell.
#
# Here: the robot's own model with steps of 0.12 s instead of 0.01 s, actions drawn from seed 0.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check gymnasium==1.4.0 mujoco==3.17.0 imageio==2.37.0 packaging==25.0 numpy==2.3.5

venv/bin/python - 2>stderr.txt <<'PYTHON'
import pathlib

import gymnasium
import gymnasium.envs.mujoco
import mujoco
import numpy

print("gymnasium", gymnasium.__version__, "mujoco", mujoco.__version__)
model = pathlib.Path(gymnasium.envs.mujoco.__file__).parent / "assets/half_cheetah.xml"
coarse = pathlib.Path("coarse.xml")
coarse.write_text(model.read_text().replace('timestep="0.01"', 'timestep="0.12"'))
env = gymnasium.make("HalfCheetah-v5", xml_file=str(coarse.resolve()))
env.action_space.seed(0)
env.reset(seed=0)

diverged, rewards, back = 0, [], 0
for step in range(100):
    before = env.unwrapped.data.time
    obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert numpy.isfinite(obs).all() and numpy.isfinite(reward), f"step {step} is not finite: gymnasium changed"
    assert not terminated and not truncated, f"step {step} ended the episode: gymnasium changed"
    if env.unwrapped.data.warning[mujoco.mjtWarning.mjWARN_BADQACC].number:
        diverged += 1
        rewards.append(reward)
        back += env.unwrapped.data.time < before + env.unwrapped.dt / 2
print(f"{diverged} of 100 steps diverged, the clock went back in {back} of them, none ended the episode")
print(f"rewards of these steps: {min(rewards):.0f} to {max(rewards):.0f}")
assert diverged > 50 and back > 20 and max(rewards) > 1000, "it diverges otherwise: look again"
PYTHON
grep -q 'The simulation is unstable' stderr.txt && echo "stderr has MuJoCo's warning, and nothing of gymnasium's"
