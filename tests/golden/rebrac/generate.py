"""Writes updates.json and updates.safetensors: ReBRAC for teams as JAX computes it, in f64, four updates of two cases.

    pip install jax==0.10.2 numpy==2.4.6 safetensors==0.8.0
    python generate.py

Nothing of this project is used. Gradients are JAX's, through actor and critics at once. The noise is drawn as documented in
crates/train/src/algo/noise.rs: ChaCha8 with the seed as key, stream 3, update t from word 4 t ceil(n / 2) on, Box and Muller.

Tensors are `<case>.<what>`: `init.` and `final.` parameters by the checkpoint's names, [out, in]; `batch.<k>.` observations
[B, N, O], states [B, S], actions [B, N, A], rewards and bootstrap [B, 1], alive [B, N].
"""

import json
import math
import struct
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)

SIZES = {"batch": 6, "n_agents": 3, "obs_dim": 4, "action_dim": 2, "hidden": 12, "steps": 4}
SETTINGS = {
    "actor_bc_coef": 0.3,
    "critic_bc_coef": 0.2,
    "gamma": 0.9,
    "tau": 0.1,
    "policy_noise": 0.4,
    "noise_clip": 0.5,
    "policy_freq": 2,
    "lr": 1e-3,
    "seed": 5,
}
CASES = {"shared_state": {"state_dim": None, "dead": False}, "dead_agents": {"state_dim": 5, "dead": True}}
EPS = 1e-5


def chacha8(key: bytes, stream: int, word: int, count: int) -> list[int]:
    """`count` words of the stream, from `word` on."""

    def rotate(x, n):
        return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF

    def block(counter):
        state = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
        state += [counter & 0xFFFFFFFF, counter >> 32, stream & 0xFFFFFFFF, stream >> 32]
        x = list(state)

        def quarter(a, b, c, d):
            x[a] = (x[a] + x[b]) & 0xFFFFFFFF
            x[d] = rotate(x[d] ^ x[a], 16)
            x[c] = (x[c] + x[d]) & 0xFFFFFFFF
            x[b] = rotate(x[b] ^ x[c], 12)
            x[a] = (x[a] + x[b]) & 0xFFFFFFFF
            x[d] = rotate(x[d] ^ x[a], 8)
            x[c] = (x[c] + x[d]) & 0xFFFFFFFF
            x[b] = rotate(x[b] ^ x[c], 7)

        for _ in range(4):
            for column in range(4):
                quarter(column, 4 + column, 8 + column, 12 + column)
            quarter(0, 5, 10, 15)
            quarter(1, 6, 11, 12)
            quarter(2, 7, 8, 13)
            quarter(3, 4, 9, 14)
        return [(a + b) & 0xFFFFFFFF for a, b in zip(x, state)]

    first, last = word // 16, (word + count - 1) // 16
    words = [w for counter in range(first, last + 1) for w in block(counter)]
    return words[word - 16 * first :][:count]


def noise(seed: int, step: int, count: int) -> np.ndarray:
    pairs = -(-count // 2)
    words = chacha8(struct.pack("<Q", seed) + bytes(24), 3, 4 * pairs * step, 4 * pairs)
    uniform = [((((words[i + 1] << 32) | words[i]) >> 11) + 0.5) / 2**53 for i in range(0, len(words), 2)]
    numbers = []
    for u, v in zip(uniform[::2], uniform[1::2]):
        radius = math.sqrt(-2 * math.log(u))
        numbers += [radius * math.cos(2 * math.pi * v), radius * math.sin(2 * math.pi * v)]
    return np.array(numbers[:count])


def make(rng, layers: list[tuple[str, int, int]]) -> dict:
    net = {}
    for name, inputs, outputs in layers:
        net[f"{name}.weight"] = rng.uniform(-1, 1, (outputs, inputs)) / math.sqrt(inputs)
        net[f"{name}.bias"] = rng.uniform(-1, 1, outputs) / math.sqrt(inputs)
    return net


def dense(net, name, x):
    return x @ net[f"{name}.weight"].T + net[f"{name}.bias"]


def policy(net, obs, n):
    """[B, N, O] -> [B, N, A]."""
    ids = jnp.broadcast_to(jnp.eye(n), (*obs.shape[:2], n))
    h = jnp.concatenate([obs, ids], -1)
    for name in ["fc1", "fc2"]:
        h = jax.nn.relu(dense(net, name, h))
    return jnp.tanh(dense(net, "mu_head", h))


def value(net, state, actions):
    """-> [B]."""
    h = jnp.concatenate([state, actions.reshape(len(state), -1)], 1)
    for name in ["fc1", "fc2", "fc3"]:
        h = jax.nn.relu(dense(net, name, h))
        h = (h - h.mean(1, keepdims=True)) / jnp.sqrt(h.var(1, keepdims=True) + EPS)
    return dense(net, "out", h)[:, 0]


def norm(grads) -> float:
    return float(jnp.sqrt(sum((g**2).sum() for net in grads for g in net.values())))


def adam(net, moments, grads, t):
    """PyTorch's order of operations; nothing is clipped."""
    for name, g in grads.items():
        m, v = moments.get(name, (0.0, 0.0))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        moments[name] = (m, v)
        rate = SETTINGS["lr"] / (1 - 0.9**t)
        net[name] = net[name] - rate * m / (jnp.sqrt(v) / math.sqrt(1 - 0.999**t) + 1e-8)


def run(case: str, dims: dict, tensors: dict) -> list[dict]:
    s = SETTINGS
    b, n, o, a, hidden, steps = SIZES.values()
    own_state = dims["state_dim"]
    state_dim = own_state or n * o
    rng = np.random.default_rng(len(case))
    actor_layers = [("fc1", o + n, hidden), ("fc2", hidden, hidden), ("mu_head", hidden, a)]
    critic_layers = [("fc1", state_dim + n * a, hidden), ("fc2", hidden, hidden), ("fc3", hidden, hidden), ("out", hidden, 1)]
    nets = {"actor": make(rng, actor_layers), "critic_1": make(rng, critic_layers), "critic_2": make(rng, critic_layers)}
    # Targets that are not copies, so that a mix-up shows.
    nets |= {f"target_{name}": make(rng, critic_layers if "critic" in name else actor_layers) for name in list(nets)}
    for name, net in nets.items():
        tensors.update({f"{case}.init.{name}.{p}": np.array(x) for p, x in net.items()})
    moments = {"actor": {}, "critic_1": {}, "critic_2": {}}
    log = []
    for k in range(steps):
        x = {
            "obs": rng.normal(size=(b, n, o)),
            "next_obs": rng.normal(size=(b, n, o)),
            "actions": rng.uniform(-1, 1, (b, n, a)),
            "next_actions": rng.uniform(-1, 1, (b, n, a)),
            "rewards": rng.normal(size=(b, 1)),
            "bootstrap": (rng.random((b, 1)) < 0.7).astype(float),
        }
        if own_state:
            x |= {"state": rng.normal(size=(b, state_dim)), "next_state": rng.normal(size=(b, state_dim))}
        if dims["dead"]:
            x |= {"alive": (rng.random((b, n)) < 0.7).astype(float), "next_alive": (rng.random((b, n)) < 0.6).astype(float)}
        tensors.update({f"{case}.batch.{k}.{part}": v for part, v in x.items()})
        state = x.get("state", x["obs"].reshape(b, -1))
        next_state = x.get("next_state", x["next_obs"].reshape(b, -1))
        living = lambda pi, data, alive: jnp.where(x[alive][:, :, None] == 1, pi, data) if alive in x else pi
        step = k + 1

        eps = s["policy_noise"] * noise(s["seed"], step, b * n * a).reshape(b, n, a)
        target_pi = policy(nets["target_actor"], x["next_obs"], n) + jnp.clip(eps, -s["noise_clip"], s["noise_clip"])
        target_pi = living(jnp.clip(target_pi, -1, 1), x["next_actions"], "next_alive")
        next_distance = ((target_pi - x["next_actions"]) ** 2).sum((1, 2))
        next_q = [value(nets[f"target_critic_{i}"], next_state, target_pi) for i in (1, 2)]
        bonus = jnp.minimum(*next_q) - s["critic_bc_coef"] * next_distance
        y = x["rewards"][:, 0] + s["gamma"] * x["bootstrap"][:, 0] * bonus

        critics = (nets["critic_1"], nets["critic_2"])
        td = lambda critics: sum(((value(c, state, x["actions"]) - y) ** 2).mean() for c in critics)
        loss, grads = jax.value_and_grad(td)(critics)
        q = jnp.minimum(*[value(c, state, x["actions"]) for c in critics])
        line = {"q_loss": float(loss), "grad_norm_critic": norm(grads), "q": float(q.mean()), "target": float(y.mean())}
        line["next_distance"] = float(next_distance.mean())
        for i, g in zip((1, 2), grads):
            adam(nets[f"critic_{i}"], moments[f"critic_{i}"], g, step)

        if step % s["policy_freq"] == 0:

            def of_actor(actor):
                pi = living(policy(actor, x["obs"], n), x["actions"], "alive")
                q = jnp.minimum(*[value(nets[f"critic_{i}"], state, pi) for i in (1, 2)])
                distance = ((pi - x["actions"]) ** 2).sum((1, 2)).mean()
                climbing = -q.mean() / jax.lax.stop_gradient(jnp.abs(q).mean())
                return climbing + s["actor_bc_coef"] * distance, (q.mean(), distance)

            (loss, (q, distance)), grads = jax.value_and_grad(of_actor, has_aux=True)(nets["actor"])
            line |= {"policy_loss": float(loss), "grad_norm_actor": norm([grads]), "policy_q": float(q), "distance": float(distance)}
            adam(nets["actor"], moments["actor"], grads, step // s["policy_freq"])
        for name in ["actor", "critic_1", "critic_2"]:
            target = nets[f"target_{name}"]
            for p in target:
                target[p] = s["tau"] * nets[name][p] + (1 - s["tau"]) * target[p]
        log.append(line)
    for name, net in nets.items():
        tensors.update({f"{case}.final.{name}.{p}": np.array(x) for p, x in net.items()})
    return log


def main():
    tensors = {}
    cases = {case: dims | {"log": run(case, dims, tensors)} for case, dims in CASES.items()}
    folder = Path(__file__).parent
    # The published test vector of ChaCha8 (draft-strombergson-chacha-test-vectors, TC1, 256 bits): key and nonce 0.
    assert struct.pack("<4I", *chacha8(bytes(32), 0, 0, 4)).hex() == "3e00ef2f895f40d67f5bb8e81f09a5a1"
    text = json.dumps({"sizes": SIZES, "settings": SETTINGS, "cases": cases}, indent=1)
    (folder / "updates.json").write_text(text + "\n")
    save_file({name: np.ascontiguousarray(x) for name, x in tensors.items()}, folder / "updates.safetensors")


if __name__ == "__main__":
    main()
