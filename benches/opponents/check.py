"""Do both implementations do what the official code does? Compared with `tests/golden/omiga`, number by number.

The same cases and tolerances as `crates/train/tests/golden.rs`: every loss and gradient norm at every step, the final
parameters, and the final policy's actions and densities (or logits). The official code has no action mask, so that a
mask is checked by comparing the implementations with each other in f64. That the timed loop, which draws its own
batches, does these very updates is checked on a dataset of one transition. `OMIGA_GOLDEN_DIR` names a folder of further
cases, as for the Rust test. Exits 1 if anything is too far.

    python check.py [--impl pytorch --impl pytorch-compile --impl jax] [--case continuous_small_f64] [--device cuda:0]
"""

import argparse
import json
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from tasks import IMPLEMENTATIONS, TASKS, Task, columns, initial

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "omiga"
LOGGED = ("q_loss", "v_loss", "policy_loss", "grad_norm_q_mixer", "grad_norm_v", "grad_norm_actor")
NETS = {"q": "critic", "v": "value", "q_target": "target_critic", "v_target": "target_value",
        "mixer_target": "target_mixer"}
LAYERS = {"f1": "fc1", "f2": "fc2", "f3": "out", "state_value": "out", "f_v": "hidden", "w_v": "weight",
          "b_v": "bias", "mu_head": "mu", "sigma_head": "log_sigma"}


def our_name(theirs: str) -> str:
    net, layer, part = theirs.split(".")
    return f"{NETS.get(net, net)}.{LAYERS.get(layer, layer)}.{part}"


class PyTorch:
    """PyTorch, behind the few calls that the check needs."""

    def __init__(self, task: Task, parameters: dict, device: str, compiled: bool):
        import torch

        import omiga_torch

        torch.compiler.reset()  # it refuses to compile one function for ever more shapes
        self.omiga = omiga_torch.Omiga(task, parameters, device, compiled)
        self.on_device = partial(omiga_torch.on_device, device=device)

    def update(self, batch: dict) -> dict[str, float]:
        return {name: x.item() for name, x in self.omiga.update(self.on_device(batch)).items()}

    def run(self, data: dict, updates: int) -> None:
        self.omiga.run(self.on_device(data), updates)

    def parameters(self) -> dict:
        return self.omiga.parameters()

    def act(self, obs, action_mask=None):
        inputs = {"obs": obs} | ({} if action_mask is None else {"action_mask": action_mask})
        found = self.omiga.act(**self.on_device(inputs))
        return tuple(None if x is None else x.cpu().numpy() for x in found)

    def log_prob(self, obs, actions):
        return self.omiga.log_prob(**self.on_device({"obs": obs, "actions": actions})).cpu().numpy()


class Jax:
    """JAX, likewise."""

    def __init__(self, task: Task, parameters: dict, device: str):
        import jax

        jax.config.update("jax_enable_x64", True)  # arrays of f32 stay f32
        import omiga_jax

        omiga_jax.use(device)
        self.module, self.task, self.carry = omiga_jax, task, omiga_jax.start(task, parameters)

    def update(self, batch: dict) -> dict[str, float]:
        self.carry, log = self.module.single(self.carry, self.module.on_device(batch), self.task)
        return {name: float(x) for name, x in log.items()}

    def run(self, data: dict, updates: int) -> None:
        import jax

        self.carry, _ = self.module.run(self.carry, self.module.on_device(data), jax.random.key(0), self.task, updates)

    def parameters(self) -> dict:
        return self.module.parameters(self.carry)

    def act(self, obs, action_mask=None):
        found = self.module.act(self.carry, self.task, obs, action_mask)
        return tuple(None if x is None else np.asarray(x) for x in found)

    def log_prob(self, obs, actions):
        p = self.carry["online"]["actor"]
        return np.asarray(self.module.log_prob(p, self.module.with_ids(obs), {"actions": actions}, False))


def make(impl: str, task: Task, parameters: dict, device: str):
    if impl == "jax":
        return Jax(task, parameters, device)
    return PyTorch(task, parameters, device, impl == "pytorch-compile")


def tensor_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference relative to the largest element of the expected tensor; infinite if not a number."""
    assert found.shape == expected.shape and found.dtype == expected.dtype, (found.shape, expected.shape, found.dtype)
    difference = np.abs(found.astype(np.float64) - expected).max() / max(np.abs(expected).max(), 1e-300)
    return float(difference) if np.isfinite(difference) else float("inf")


def relative(found: float, expected: float) -> float:
    difference = abs(found - expected) / max(abs(expected), 1e-300)
    return difference if np.isfinite(difference) else float("inf")


def batch_of(tensors: dict, k: int, discrete: bool) -> dict:
    get = {name.split(".")[2]: x for name, x in tensors.items() if name.startswith(f"batch.{k}.")}
    rows = len(get["obs"])
    batch = {"obs": get["obs"], "next_obs": get["next_obs"], "actions": get["actions"],
             "rewards": get["rewards"].reshape(rows), "bootstrap": get["mask"].reshape(rows)}
    if discrete:
        batch["actions"] = get["actions"][..., 0]
        batch |= {name: get[name].reshape(rows, -1) for name in ("state", "next_state")}
    return batch


def act_difference(learner, tensors: dict, discrete: bool) -> float:
    act = {name.removeprefix("act."): x for name, x in tensors.items() if name.startswith("act.")}
    if not discrete:
        actions = tensor_difference(learner.act(act["obs"])[0], act["actions"])
        log_prob = learner.log_prob(act["obs"], act["log_prob_actions"])
        return max(actions, tensor_difference(log_prob, act["log_prob"]))
    available = act["avail_actions"].astype(bool)
    actions, logits = learner.act(act["obs"], available)
    same = (actions == act["actions"]).all()
    return tensor_difference(logits[available], act["logits"][available]) if same else float("inf")


def check_golden(impl: str, path: Path, device: str) -> bool:
    case, facts = path.stem, json.loads(path.read_text())
    tensors = load_file(path.with_suffix(".safetensors"))
    discrete = "n_actions" in facts
    task = Task(case, facts["n_agents"], facts["obs_dim"], facts["n_actions" if discrete else "action_dim"],
                facts["n_agents"] * facts["state_dim" if discrete else "obs_dim"], discrete,
                **{key: facts[key] for key in ("batch", "hidden", "mixer_hidden", "alpha", "gamma", "tau", "lr",
                                               "grad_norm_clip")})
    step_limit, final_limit = (1e-8, 1e-7) if facts["dtype"] == "torch.float64" else (1e-4, 1e-3)
    first = {our_name(name.removeprefix("init.")): x for name, x in tensors.items() if name.startswith("init.")}
    learner = make(impl, task, first, device)
    steps = []
    for k, expected in enumerate(facts["log"]):
        found = learner.update(batch_of(tensors, k, discrete))
        steps += [(relative(found[name], expected[name]), f"{name} at step {k}") for name in LOGGED]
    ours = learner.parameters()
    finals = {name.removeprefix("final."): x for name, x in tensors.items() if name.startswith("final.")}
    final = max((tensor_difference(ours[our_name(name)], x), name) for name, x in finals.items())
    act, step = act_difference(learner, tensors, discrete), max(steps)
    good = step[0] <= step_limit and final[0] <= final_limit and act <= final_limit
    print(f"{'good' if good else 'BAD '} {impl:15} {case:25} worst step {step[0]:.1e} ({step[1]}), "
          f"worst final parameter {final[0]:.1e} ({final[1]}), actions {act:.1e}", flush=True)
    return good


def wide(arrays: dict) -> dict:
    """f32 as f64."""
    return {name: x.astype(np.float64) if x.dtype == np.float32 else x for name, x in arrays.items()}


def check_loop(impl: str, device: str, updates: int = 3) -> bool:
    """The timed loop against single updates, on one transition, which every batch then consists of."""
    worst = 0.0
    for name in ("hopper-3x1", "smac-like"):
        task = replace(TASKS[name], batch=16)
        data, first = wide(columns(task, rows=1)), wide(initial(task))
        loop, single = (make(impl, task, first, device) for _ in range(2))
        loop.run(data, updates)
        for _ in range(updates):
            single.update({column: np.repeat(x, task.batch, 0) for column, x in data.items()})
        found, expected = loop.parameters(), single.parameters()
        moved = tensor_difference(expected["actor.fc1.weight"], first["actor.fc1.weight"])
        difference = max(tensor_difference(found[key], expected[key]) for key in expected)
        worst = max(worst, difference if moved > 1e-4 else float("inf"))
    print(f"{'good' if worst <= 1e-7 else 'BAD '} {impl:15} the timed loop, against single updates: worst parameter "
          f"{worst:.1e}", flush=True)
    return worst <= 1e-7


def check_mask(impl: str, reference: str, device: str, steps: int = 5) -> bool:
    """With an action mask: `impl` against `reference` in f64, on the discrete task's shapes."""
    task = replace(TASKS["smac-like"], batch=32)
    data, first = wide(columns(task, rows=task.batch * steps)), wide(initial(task))
    learners = [make(name, task, first, device) for name in (impl, reference)]
    worst, masked_matters = 0.0, 0.0
    for k in range(steps):
        batch = {name: x[k * task.batch:(k + 1) * task.batch] for name, x in data.items()}
        if k == 0:
            unmasked = {name: x for name, x in batch.items() if name != "action_mask"}
            without = make(reference, task, first, device).update(unmasked)["policy_loss"]
        found, expected = (learner.update(batch) for learner in learners)
        if k == 0:
            masked_matters = relative(expected["policy_loss"], without)
        worst = max(worst, *(relative(found[name], expected[name]) for name in LOGGED))
    found, expected = (learner.parameters() for learner in learners)
    final = max(tensor_difference(found[name], expected[name]) for name in expected)
    good = worst <= 1e-8 and final <= 1e-7 and masked_matters > 1e-3
    print(f"{'good' if good else 'BAD '} {impl:15} masked, against {reference:9} worst step {worst:.1e}, "
          f"worst final parameter {final:.1e}; the mask changes the policy loss by {masked_matters:.1e}", flush=True)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--impl", action="append", choices=IMPLEMENTATIONS, help="default: pytorch and jax")
    parser.add_argument("--case", action="append", help="name of a golden case; default: all")
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    args = parser.parse_args()
    more = os.environ.get("OMIGA_GOLDEN_DIR")
    found = {path.stem: path for folder in filter(None, (more, GOLDEN)) for path in sorted(Path(folder).glob("*.json"))}
    missing = set(args.case or ()) - found.keys()
    if missing or not found:
        print(f"check: no golden case {', '.join(sorted(missing)) or 'at all'} in {GOLDEN}", file=sys.stderr)
        return 2
    cases = [found[name] for name in sorted(args.case or found)]
    good = True
    for impl in args.impl or ("pytorch", "jax"):
        good &= all([check_golden(impl, case, args.device) for case in cases])
        good &= check_mask(impl, "pytorch" if impl == "jax" else "jax", args.device)
        good &= check_loop(impl, args.device)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
