"""One OMIGA update in PyTorch (Wang et al., NeurIPS 2023, arXiv:2307.11620), written from the formulas.

What a careful user of PyTorch would write: the three losses flow into disjoint networks, so one backward pass over
their sum serves all three optimisers; Adam is PyTorch's fused one; clipping and the targets use the multi-tensor
functions; nothing waits for the device inside an update. `compiled` puts the losses, forward and backward, through
`torch.compile`.
"""

import math

import numpy as np
import torch
from torch.nn.functional import linear, relu, softplus

from tasks import TARGETS, Task

Tensors = dict[str, torch.Tensor]

MU_LIMIT, LOG_SIGMA_LIMITS = 9.0, (-5.0, 2.0)
ACTION_LIMIT = 1.0 - 1e-7
Z_LIMIT = 10.0
MASKED_LOGIT = -1e8


def layer(p: Tensors, name: str, x: torch.Tensor) -> torch.Tensor:
    return linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def trunk(p: Tensors, net: str, x: torch.Tensor) -> torch.Tensor:
    return relu(layer(p, f"{net}.fc2", relu(layer(p, f"{net}.fc1", x))))


def value(p: Tensors, net: str, obs_id: torch.Tensor) -> torch.Tensor:
    return layer(p, f"{net}.out", trunk(p, net, obs_id)).squeeze(-1)  # [B, N]


def critic(p: Tensors, net: str, inputs: torch.Tensor, actions: torch.Tensor, discrete: bool) -> torch.Tensor:
    q = layer(p, f"{net}.out", trunk(p, net, inputs))  # [B, N, A or 1]
    if discrete:
        q = q.gather(-1, actions.unsqueeze(-1))
    return q.squeeze(-1)  # [B, N]


def mixer(p: Tensors, net: str, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    h = relu(layer(p, f"{net}.hidden", state))
    return layer(p, f"{net}.weight", h).abs(), layer(p, f"{net}.bias", h).squeeze(-1)  # [B, N], [B]


def gaussian_log_prob(mu: torch.Tensor, log_sigma: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    u = torch.atanh(actions.clamp(-ACTION_LIMIT, ACTION_LIMIT))  # [B, N, A]
    log_sigma = log_sigma.clamp(*LOG_SIGMA_LIMITS)
    scaled = (u - mu.clamp(-MU_LIMIT, MU_LIMIT)) * torch.exp(-log_sigma)
    log_normal = -0.5 * scaled**2 - log_sigma - 0.5 * math.log(2 * math.pi)
    log_slope = 2 * (math.log(2) - u - softplus(-2 * u))
    return (log_normal - log_slope).sum(-1)  # [B, N]


def masked(logits: torch.Tensor, action_mask: torch.Tensor | None) -> torch.Tensor:
    return logits if action_mask is None else torch.where(action_mask, logits, MASKED_LOGIT)


def log_prob(p: Tensors, obs_id: torch.Tensor, batch: Tensors, discrete: bool) -> torch.Tensor:
    h = trunk(p, "actor", obs_id)
    if not discrete:
        return gaussian_log_prob(layer(p, "actor.mu", h), layer(p, "actor.log_sigma", h), batch["actions"])
    logits = masked(layer(p, "actor.out", h), batch.get("action_mask"))
    return logits.log_softmax(-1).gather(-1, batch["actions"].unsqueeze(-1)).squeeze(-1)  # [B, N]


def losses(p: Tensors, target: Tensors, ids: torch.Tensor, batch: Tensors, task: Task) -> tuple[torch.Tensor, ...]:
    """L_Q, L_V, L_pi."""
    obs, next_obs, actions = batch["obs"], batch["next_obs"], batch["actions"]
    ids = ids.expand(obs.shape[0], -1, -1)
    obs_id = torch.cat([obs, ids], -1)  # [B, N, O + N]
    inputs = obs_id if task.discrete else torch.cat([obs, actions, ids], -1)
    state = batch["state"] if task.discrete else obs.flatten(1)
    next_state = batch["next_state"] if task.discrete else next_obs.flatten(1)

    with torch.no_grad():
        next_v = value(target, "target_value", torch.cat([next_obs, ids], -1))
        next_weight, next_bias = mixer(target, "target_mixer", next_state)
        next_v_tot = (next_weight * next_v).sum(1) + next_bias
        y = batch["rewards"] + task.gamma * batch["bootstrap"] * next_v_tot
        target_weight, _ = mixer(target, "target_mixer", state)
        target_q = critic(target, "target_critic", inputs, actions, task.discrete)

    q = critic(p, "critic", inputs, actions, task.discrete)
    weight, bias = mixer(p, "mixer", state)
    q_loss = ((weight * q).sum(1) + bias - y).square().mean()

    v = value(p, "value", obs_id)
    z = (target_weight * (target_q - v) / task.alpha).clamp(-Z_LIMIT, Z_LIMIT)
    m = z.detach().max().clamp(min=-1.0)
    v_loss = (torch.exp(z - m) + torch.exp(-m) * target_weight * v / task.alpha).mean()

    policy_loss = -(torch.exp(z.detach()) * log_prob(p, obs_id, batch, task.discrete)).mean()
    return q_loss, v_loss, policy_loss


class Omiga:
    """Networks, targets and the three optimisers."""

    def __init__(self, task: Task, parameters: dict[str, np.ndarray], device: str = "cpu", compiled: bool = False):
        self.task = task
        tensors = {name: torch.tensor(x, device=device) for name, x in parameters.items()}
        self.target = {name: x for name, x in tensors.items() if name.startswith("target_")}
        self.online = {name: x.requires_grad_() for name, x in tensors.items() if name not in self.target}

        def of(*nets: str) -> list[torch.Tensor]:
            return [x for name, x in self.online.items() if name.split(".")[0] in nets]

        self.groups = {"grad_norm_actor": of("actor"), "grad_norm_q_mixer": of("critic", "mixer"),
                       "grad_norm_v": of("value")}
        self.optimisers = [torch.optim.Adam(group, lr=task.lr, fused=True) for group in self.groups.values()]
        self.tracked = [self.online[name.removeprefix("target_")] for name in self.target]
        self.ids = torch.eye(task.n_agents, device=device, dtype=next(iter(tensors.values())).dtype)
        self.losses = torch.compile(losses, fullgraph=True, dynamic=False) if compiled else losses

    def update(self, batch: Tensors) -> Tensors:
        """One update; its losses and the gradient norms before clipping."""
        q_loss, v_loss, policy_loss = self.losses(self.online, self.target, self.ids, batch, self.task)
        (q_loss + v_loss + policy_loss).backward()
        log = {"q_loss": q_loss.detach(), "v_loss": v_loss.detach(), "policy_loss": policy_loss.detach()}
        for (name, group), optimiser in zip(self.groups.items(), self.optimisers):
            log[name] = torch.nn.utils.clip_grad_norm_(group, self.task.grad_norm_clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.target.values()), self.tracked, self.task.tau)
        return log

    def run(self, columns: Tensors, updates: int) -> None:
        """`updates` updates on batches drawn with replacement."""
        rows, device = columns["rewards"].shape[0], columns["rewards"].device
        for _ in range(updates):
            drawn = torch.randint(rows, (self.task.batch,), device=device)
            self.update({name: column.index_select(0, drawn) for name, column in columns.items()})

    def parameters(self) -> dict[str, np.ndarray]:
        """All parameters on the host, targets included."""
        return {name: x.detach().cpu().numpy() for name, x in (self.online | self.target).items()}

    @torch.no_grad()
    def act(self, obs: torch.Tensor, action_mask: torch.Tensor | None = None):
        """Greedy actions, and a discrete policy's logits (else `None`)."""
        h = trunk(self.online, "actor", torch.cat([obs, self.ids.expand(obs.shape[0], -1, -1)], -1))
        if not self.task.discrete:
            return torch.tanh(layer(self.online, "actor.mu", h).clamp(-MU_LIMIT, MU_LIMIT)), None
        logits = masked(layer(self.online, "actor.out", h), action_mask)
        return logits.argmax(-1), logits

    @torch.no_grad()
    def log_prob(self, obs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Log densities of given actions."""
        obs_id = torch.cat([obs, self.ids.expand(obs.shape[0], -1, -1)], -1)
        return log_prob(self.online, obs_id, {"actions": actions}, self.task.discrete)


def on_device(batch: dict[str, np.ndarray], device: str = "cpu") -> Tensors:
    """Host arrays as tensors."""
    return {name: torch.as_tensor(x, device=device) for name, x in batch.items()}


def synchronise(device: str) -> None:
    """Wait until the device is idle."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
