"""Steps of a gymnasium environment per second, its actions made beforehand; prints one line of JSON.

    python gymnasium_steps.py Hopper-v5 100000

The loop that a user writes: `gymnasium.make`, with its time limit and checks, an episode that ends is reset within the time.
"""

import json
import sys
import time

import gymnasium


def main() -> None:
    name, steps = sys.argv[1], int(sys.argv[2])
    env = gymnasium.make(name)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(1000)]
    env.reset(seed=0)
    begin = time.perf_counter()
    for step in range(steps):
        _, _, terminated, truncated, _ = env.step(actions[step % len(actions)])
        if terminated or truncated:
            env.reset()
    print(json.dumps({"steps_per_s": steps / (time.perf_counter() - begin)}))


if __name__ == "__main__":
    main()
