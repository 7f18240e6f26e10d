"""One runtime with one policy: does it load, how far is it off, what does it make of a NaN, which batches, how fast.

Runs in the runtime's own environment with numpy and nothing else of ours. What it finds, and which form it is trying, goes to a
JSON file as it goes on, so that whoever started it sees where it ended.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

# The forms of a graph, the usual one first: what fewer runtimes need comes later.
FORMS = ("usual", "opset-17", "float-mask", "logits-only", "plain-logits", "static", "static-opset-17", "static-plain-logits", "static-plain-logits-opset-17")
# Off by no more than this, a runtime is right.
TOLERANCE = 1e-3
BAD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
MASKED_LOGIT = -1e8
# What is beyond is no command of any of the policies.
HUGE = 1e30


class Policy:
    """A folder of `cases.py`."""

    def __init__(self, folder):
        self.folder = folder
        with np.load(folder / "inputs.npz") as file:
            self.arrays = dict(file)
        self.discrete = "golden.action_mask" in self.arrays
        self.rows = len(self.arrays["golden.obs"])

    def widths(self):
        """Of the inputs in their order, and of the action."""
        inputs = [self.arrays[f"golden.{name}"].shape[1] for name in ("obs", "action_mask") if f"golden.{name}" in self.arrays]
        return {"widths": inputs, "actions": inputs[1] if self.discrete else self.arrays["golden.action"].shape[1]}

    def part(self, prefix):
        return {k[len(prefix) + 1 :]: v for k, v in self.arrays.items() if k.startswith(prefix + ".")}

    def golden(self, row):
        part = self.part("golden")
        feed = {"obs": part["obs"][row : row + 1]}
        if self.discrete:
            feed["action_mask"] = part["action_mask"][row : row + 1].astype(bool)
        return feed, {k: v[row : row + 1] for k, v in part.items() if k in ("action", "logits")}

    def batch(self, rows):
        part = self.part(f"batch.{rows}")
        return {k: part.pop(k) for k in ("obs", "action_mask") if k in part}, part


class Loaded:
    """A policy in a form, in a runtime."""

    def __init__(self, adapter, policy, form, options, scratch):
        self.form = form
        self.run_raw = adapter.load(policy.folder / f"{form}.onnx", scratch, {**policy.widths(), **options})

    def prepared(self, feed):
        """With a mask of numbers, if the form asks for that."""
        feed = dict(feed)
        if "action_mask" in feed and ("float-mask" in self.form or "plain-logits" in self.form):
            feed["action_mask"] = feed["action_mask"].astype(np.float32)
        return feed

    def run(self, feed):
        return {name: np.asarray(value) for name, value in self.run_raw(self.prepared(feed)).items()}


def error_of(found, expected):
    """Largest difference of a command or logit, beside its size if that is above 1; infinite if the shape or the choice is another."""
    worst = 0.0
    for name, right in expected.items():
        if name == "action" and "logits" in expected:
            if name in found and not right_choice(found[name], right, expected["logits"]):
                return np.inf
            continue
        value = found[name]
        if value.shape != right.shape:
            return np.inf
        difference = np.abs(value.astype(np.float64) - right) / np.maximum(1.0, np.abs(right))
        worst = max(worst, float(difference.max(initial=0.0)))
    return worst if np.isfinite(worst) else np.inf


def right_choice(found, right, logits):
    """The same index, or one whose logit is as good."""
    found = found.reshape(-1)
    if found.shape != right.shape or not ((found >= 0) & (found < logits.shape[1])).all():
        return False
    rows = np.arange(len(right))
    return bool((logits[rows, right] - logits[rows, found] <= TOLERANCE).all())


def golden_error(loaded, policy):
    return max(error_of(loaded.run(feed), right) for feed, right in map(policy.golden, range(policy.rows)))


def seen_of_bad(loaded, policy):
    """What comes out of an observation with one NaN or infinity, in words."""
    words = set()
    width = policy.arrays["golden.obs"].shape[1]
    for value in BAD.values():
        for field in sorted({0, width // 2, width - 1}):
            feed, _ = policy.golden(0)
            feed["obs"] = feed["obs"].copy()
            feed["obs"][0, field] = value
            words.add(word_of(loaded.run(feed), policy.discrete))
    return sorted(words)


def word_of(found, discrete):
    numbers = found["logits" if discrete else "action"].astype(np.float64).reshape(-1)
    beyond = np.isnan(numbers) | (np.abs(numbers) > HUGE)
    if np.isnan(numbers).all():
        word = "NaN"
    elif beyond.any():
        word = "beyond 1e30" if beyond.all() else "some beyond 1e30"
    else:
        word = "a legal choice" if discrete else "a command"
    if discrete and "action" in found and beyond.any():
        word += ", -1" if int(found["action"].reshape(-1)[0]) == -1 else ", a legal index"
    return word


def batches_of(loaded, policy):
    """Which batches come out right; the empty one last, as it may be the end of the process."""
    right = []
    for rows in (1, 7, 1024, 0):
        feed, expected = policy.batch(rows)
        try:
            if error_of(loaded.run(feed), expected) <= 10 * TOLERANCE:
                right.append(rows)
        except Exception as error:
            print(f"  batch {rows}: {short(error)}", flush=True)
    return sorted(right)


def microseconds(loaded, policy):
    """Median of a run of one observation, through the interface that the runtime has in Python (or in its own process)."""
    feed = loaded.prepared(policy.golden(0)[0])
    timed = getattr(loaded.run_raw, "microseconds", None)
    if timed:
        return timed(feed)
    times, end = [], time.perf_counter() + 1.0
    while len(times) < 20 or (time.perf_counter() < end and len(times) < 3000):
        start = time.perf_counter()
        loaded.run_raw(feed)
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times[len(times) // 4 :]))


def short(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def load_first(adapter, policy, options, scratch, without, save):
    """The first form that loads and is right; else the first that loads, with its error; else why the usual one does not."""
    fallback, reason = None, "the process ends" if "usual" in without else None
    for form in FORMS:
        if form in without or not (policy.folder / f"{form}.onnx").exists():
            continue
        save({"trying": form})
        try:
            loaded = Loaded(adapter, policy, form, options, scratch)
            error = golden_error(loaded, policy)
        except Exception as refusal:
            print(f"  {form}: {short(refusal)}", flush=True)
            reason = reason or short(refusal)
            continue
        print(f"  {form}: {error:.1e}", flush=True)
        if error <= TOLERANCE:
            return loaded, error, reason
        fallback = fallback or (loaded, error)
    return (*fallback, reason) if fallback else (None, None, reason)


def measure(adapter, policy, options, scratch, without, save):
    loaded, error, reason = load_first(adapter, policy, options, scratch, without, save)
    found = {"discrete": policy.discrete, "loads": loaded is not None, "usual_refused": reason}
    if loaded is not None:
        found.update(form=loaded.form, error=error, bad=seen_of_bad(loaded, policy))
        found["microseconds"] = microseconds(loaded, policy)
        save(found)
        found["batches"] = batches_of(loaded, policy)
    save(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--options", type=json.loads, default={})
    parser.add_argument("--policy", type=Path, required=True, help="a folder of cases.py")
    parser.add_argument("--without", nargs="*", default=[], help="forms that end the process")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    adapter = importlib.import_module(f"adapters.{arguments.adapter}")

    def save(found):
        arguments.out.write_text(json.dumps(found, indent=1))

    print(f" {arguments.policy.name}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        measure(adapter, Policy(arguments.policy), arguments.options, Path(scratch), arguments.without, save)


if __name__ == "__main__":
    main()
