"""What is trained: shapes, first parameters and random data, the same for every implementation.

Parameters are named as the golden vectors' Rust test names them, `<net>.<layer>.<weight|bias>`, weights [out, in]:
nets `actor`, `critic`, `value`, `mixer`, and `target_*` of the last three; layers `fc1`, `fc2`, `out` (the continuous
actor's heads: `mu`, `log_sigma`), and the mixer's `hidden`, `weight`, `bias`.

Columns of R transitions (N agents, O obs, A actions, S state of all agents concatenated):
`obs`, `next_obs` [R, N, O]; `rewards`, `bootstrap` [R]; continuous: `actions` [R, N, A] in [-1, 1]; discrete:
`actions` [R, N] indices, `state`, `next_state` [R, S], `action_mask` [R, N, A]. Continuous tasks have no state of
their own: it is the observations.
"""

from dataclasses import dataclass

import numpy as np

IMPLEMENTATIONS = ("pytorch", "pytorch-compile", "jax")
NETS = ("actor", "critic", "value", "mixer")
TARGETS = ("critic", "value", "mixer")


@dataclass(frozen=True)
class Task:
    """Sizes and settings of one problem; the defaults are the official ones."""

    name: str
    n_agents: int
    obs_dim: int
    action_dim: int
    state_dim: int  # of all agents together
    discrete: bool
    batch: int = 128
    hidden: int = 256
    mixer_hidden: int = 64
    alpha: float = 10.0
    gamma: float = 0.99
    tau: float = 0.005
    lr: float = 5e-4
    grad_norm_clip: float = 1.0

    def layers(self) -> dict[str, dict[str, tuple[int, int]]]:
        """(in, out) of every layer of the online networks."""
        n, h, m = self.n_agents, self.hidden, self.mixer_hidden
        local = self.obs_dim + n

        def trunk(inputs: int) -> dict[str, tuple[int, int]]:
            return {"fc1": (inputs, h), "fc2": (h, h)}

        heads = ("out",) if self.discrete else ("mu", "log_sigma")
        critic = (local, self.action_dim) if self.discrete else (local + self.action_dim, 1)
        return {
            "actor": trunk(local) | {head: (h, self.action_dim) for head in heads},
            "critic": trunk(critic[0]) | {"out": (h, critic[1])},
            "value": trunk(local) | {"out": (h, 1)},
            "mixer": {"hidden": (self.state_dim, m), "weight": (m, n), "bias": (m, 1)},
        }

    def matrix_flops(self) -> int:
        """Floating-point operations of one update's matrix products, a multiply-add as two.

        A product that is differentiated costs three: forward, and the gradients of weight and input (of the first
        layer no input gradient is needed). Targets and the mixer at the next state run forward only.
        """
        rows = {"actor": self.batch * self.n_agents, "critic": self.batch * self.n_agents,
                "value": self.batch * self.n_agents, "mixer": self.batch}
        targets = {"critic": 1, "value": 1, "mixer": 2}  # Q at s; V at s'; the mixer at both
        total = 0
        for net, layers in self.layers().items():
            for layer, (inputs, outputs) in layers.items():
                first = layer in ("fc1", "hidden")
                products = (2 if first else 3) + targets.get(net, 0)
                total += 2 * rows[net] * inputs * outputs * products
        return total


def _continuous(name: str, n_agents: int, obs_dim: int, action_dim: int) -> Task:
    return Task(name, n_agents, obs_dim, action_dim, n_agents * obs_dim, discrete=False)


TASKS = {
    task.name: task
    for task in (
        _continuous("halfcheetah-6x1", 6, 23, 1),
        _continuous("hopper-3x1", 3, 14, 1),
        _continuous("ant-2x4", 2, 113, 4),
        Task("smac-like", 5, 124, 12, 5 * 156, discrete=True),
    )
}


def initial(task: Task, seed: int = 0) -> dict[str, np.ndarray]:
    """First parameters, uniform within 1/sqrt(in) as PyTorch's linear layers; the targets equal their networks."""
    rng = np.random.default_rng([seed, 1])
    parameters = {}
    for net, layers in task.layers().items():
        for layer, (inputs, outputs) in layers.items():
            bound = inputs**-0.5
            for part, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
                value = rng.uniform(-bound, bound, shape).astype(np.float32)
                parameters[f"{net}.{layer}.{part}"] = value
                if net in TARGETS:
                    parameters[f"target_{net}.{layer}.{part}"] = value.copy()
    return parameters


def columns(task: Task, rows: int = 20_000, seed: int = 0) -> dict[str, np.ndarray]:
    """Random transitions of the task's shapes."""
    rng = np.random.default_rng([seed, 2])

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal((rows, *shape), dtype=np.float32)

    n, a = task.n_agents, task.action_dim
    data = {"obs": normal(n, task.obs_dim), "next_obs": normal(n, task.obs_dim), "rewards": normal()}
    data["bootstrap"] = (rng.random(rows) > 0.01).astype(np.float32)
    if not task.discrete:
        data["actions"] = np.tanh(normal(n, a))
        return data
    data |= {"state": normal(task.state_dim), "next_state": normal(task.state_dim)}
    data["actions"] = rng.integers(0, a, (rows, n))
    mask = rng.random((rows, n, a)) < 0.7
    np.put_along_axis(mask, data["actions"][..., None], True, axis=2)  # what was done was available
    data["action_mask"] = mask
    return data
