"""One OMIGA update in JAX (Wang et al., NeurIPS 2023, arXiv:2307.11620), written from the formulas.

What a careful user of JAX would write: sampling, losses, gradients, clipping, Adam and targets are one function, and
many updates are one `jit(lax.scan)` whose state is donated, so that Python is entered once for all of them. Weights
are kept [in, out] here.
"""

import math
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from tasks import NETS, TARGETS, Task

# f32 products in f32 on every device, as the others do.
jax.config.update("jax_default_matmul_precision", "float32")

MU_LIMIT, LOG_SIGMA_LIMITS = 9.0, (-5.0, 2.0)
ACTION_LIMIT = 1.0 - 1e-7
Z_LIMIT = 10.0
MASKED_LOGIT = -1e8
BETA1, BETA2, EPS, CLIP_EPS = 0.9, 0.999, 1e-8, 1e-6

# Which networks one optimiser moves.
GROUPS = {"grad_norm_actor": ("actor",), "grad_norm_q_mixer": ("critic", "mixer"), "grad_norm_v": ("value",)}


def use(device: str) -> None:
    """Work on `cpu` or `cuda:N`; to be called before anything else."""
    platform, _, index = device.partition(":")
    jax.config.update("jax_platforms", platform)
    try:
        jax.config.update("jax_default_device", jax.devices()[int(index or 0)])
    except (AssertionError, IndexError, RuntimeError) as error:
        sys.exit(f"jax has no device `{device}` ({error!r}); for a GPU it needs requirements-cuda.txt")


def layer(p, x):
    return x @ p["weight"] + p["bias"]


def trunk(p, x):
    return jax.nn.relu(layer(p["fc2"], jax.nn.relu(layer(p["fc1"], x))))


def with_ids(*parts):
    b, n, _ = parts[0].shape
    return jnp.concatenate([*parts, jnp.broadcast_to(jnp.eye(n, dtype=parts[0].dtype), (b, n, n))], -1)


def taken(x, actions):
    return jnp.take_along_axis(x, actions[..., None], -1)[..., 0]


def value(p, obs_id):
    return layer(p["out"], trunk(p, obs_id))[..., 0]  # [B, N]


def critic(p, inputs, actions, discrete):
    q = layer(p["out"], trunk(p, inputs))  # [B, N, A or 1]
    return taken(q, actions) if discrete else q[..., 0]


def mixer(p, state):
    h = jax.nn.relu(layer(p["hidden"], state))
    return jnp.abs(layer(p["weight"], h)), layer(p["bias"], h)[..., 0]  # [B, N], [B]


def gaussian_log_prob(mu, log_sigma, actions):
    u = jnp.arctanh(jnp.clip(actions, -ACTION_LIMIT, ACTION_LIMIT))  # [B, N, A]
    log_sigma = jnp.clip(log_sigma, *LOG_SIGMA_LIMITS)
    scaled = (u - jnp.clip(mu, -MU_LIMIT, MU_LIMIT)) * jnp.exp(-log_sigma)
    log_normal = -0.5 * scaled**2 - log_sigma - 0.5 * math.log(2 * math.pi)
    log_slope = 2 * (math.log(2) - u - jax.nn.softplus(-2 * u))
    return (log_normal - log_slope).sum(-1)  # [B, N]


def masked(logits, action_mask):
    return logits if action_mask is None else jnp.where(action_mask, logits, MASKED_LOGIT)


def log_prob(p, obs_id, batch, discrete):
    h = trunk(p, obs_id)
    if not discrete:
        return gaussian_log_prob(layer(p["mu"], h), layer(p["log_sigma"], h), batch["actions"])
    return taken(jax.nn.log_softmax(masked(layer(p["out"], h), batch.get("action_mask"))), batch["actions"])


def losses(p, target, batch, task: Task):
    """The sum of L_Q, L_V and L_pi, whose gradients fall into disjoint networks, and the three."""
    obs, next_obs, actions = batch["obs"], batch["next_obs"], batch["actions"]
    b = obs.shape[0]
    obs_id = with_ids(obs)  # [B, N, O + N]
    inputs = obs_id if task.discrete else with_ids(obs, actions)
    state = batch["state"] if task.discrete else obs.reshape(b, -1)
    next_state = batch["next_state"] if task.discrete else next_obs.reshape(b, -1)

    # `target` is not differentiated: nothing flows into it.
    next_weight, next_bias = mixer(target["mixer"], next_state)
    next_v_tot = (next_weight * value(target["value"], with_ids(next_obs))).sum(1) + next_bias
    y = batch["rewards"] + task.gamma * batch["bootstrap"] * next_v_tot
    weight, bias = mixer(p["mixer"], state)
    q_tot = (weight * critic(p["critic"], inputs, actions, task.discrete)).sum(1) + bias
    q_loss = jnp.square(q_tot - y).mean()

    target_weight, _ = mixer(target["mixer"], state)
    target_q = critic(target["critic"], inputs, actions, task.discrete)
    v = value(p["value"], obs_id)
    z = jnp.clip(target_weight * (target_q - v) / task.alpha, -Z_LIMIT, Z_LIMIT)
    fixed_z = jax.lax.stop_gradient(z)
    m = jnp.maximum(fixed_z.max(), -1.0)
    v_loss = (jnp.exp(z - m) + jnp.exp(-m) * target_weight * v / task.alpha).mean()

    policy_loss = -(jnp.exp(fixed_z) * log_prob(p["actor"], obs_id, batch, task.discrete)).mean()
    return q_loss + v_loss + policy_loss, {"q_loss": q_loss, "v_loss": v_loss, "policy_loss": policy_loss}


def update(carry, batch, task: Task):
    """One update; the new state, and the losses and gradient norms before clipping."""
    online, target = carry["online"], carry["target"]
    gradients, log = jax.grad(losses, has_aux=True)(online, target, batch, task)
    clip = {}
    for name, nets in GROUPS.items():
        leaves = jax.tree.leaves([gradients[net] for net in nets])
        log[name] = jnp.sqrt(sum(jnp.vdot(g, g) for g in leaves))
        factor = jnp.minimum(task.grad_norm_clip / (log[name] + CLIP_EPS), 1.0)
        clip |= {net: factor for net in nets}
    gradients = {net: jax.tree.map(lambda g, net=net: g * clip[net], gradients[net]) for net in NETS}

    step = carry["step"] + 1
    dtype = online["actor"]["fc1"]["weight"].dtype
    # 1 - beta^step without the cancellation of f32
    correction1 = -jnp.expm1(step.astype(dtype) * math.log(BETA1))
    correction2 = -jnp.expm1(step.astype(dtype) * math.log(BETA2))
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, carry["m"], gradients)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, carry["v"], gradients)
    size, root = task.lr / correction1, jax.lax.rsqrt(correction2)
    online = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) * root + EPS), online, m, v)
    tracked = {net: online[net] for net in TARGETS}
    target = jax.tree.map(lambda t, p: t + task.tau * (p - t), target, tracked)
    return {"online": online, "target": target, "m": m, "v": v, "step": step}, log


@partial(jax.jit, static_argnames=("task", "updates"), donate_argnames="carry")
def run(carry, columns, key, task: Task, updates: int):
    """`updates` updates on batches drawn with replacement: one program. Returns the state and every update's log."""
    rows = columns["rewards"].shape[0]

    def one(carry, key):
        drawn = jax.random.randint(key, (task.batch,), 0, rows)
        return update(carry, {name: column[drawn] for name, column in columns.items()}, task)

    return jax.lax.scan(one, carry, jax.random.split(key, updates))


single = partial(jax.jit, static_argnames="task")(update)


def start(task: Task, parameters: dict[str, np.ndarray]):
    """The state before the first update."""
    nets: dict = {}
    for name, x in parameters.items():
        net, layer_name, part = name.split(".")
        nets.setdefault(net, {}).setdefault(layer_name, {})[part] = jnp.array(x.T)
    online = {net: nets[net] for net in NETS}
    zeros = partial(jax.tree.map, jnp.zeros_like)
    target = {net: nets[f"target_{net}"] for net in TARGETS}
    step = jnp.zeros((), jnp.int32)
    return {"online": online, "target": target, "m": zeros(online), "v": zeros(online), "step": step}


def parameters(carry) -> dict[str, np.ndarray]:
    """All parameters on the host, targets included, weights [out, in]."""
    nets = carry["online"] | {f"target_{net}": p for net, p in carry["target"].items()}
    return {f"{net}.{name}.{part}": np.asarray(x).T for net, layers in nets.items()
            for name, parts in layers.items() for part, x in parts.items()}


def act(carry, task: Task, obs, action_mask=None):
    """Greedy actions, and a discrete policy's logits."""
    p = carry["online"]["actor"]
    h = trunk(p, with_ids(obs))
    if not task.discrete:
        return jnp.tanh(jnp.clip(layer(p["mu"], h), -MU_LIMIT, MU_LIMIT)), None
    logits = masked(layer(p["out"], h), action_mask)
    return logits.argmax(-1), logits


def on_device(batch: dict[str, np.ndarray]):
    """Host arrays on the device."""
    return {name: jnp.asarray(x) for name, x in batch.items()}
