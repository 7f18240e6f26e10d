"""Do other people's tools accept and agree with an exported bundle?

onnx checks every policy's form; Python's ONNX Runtime loads every policy alone, from another folder, and must repeat
the golden vectors.
"""

import argparse
import hashlib
import json
import math
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

from report import check, check_close, check_equal

TOLERANCE = 1e-5
MASKED_LOGIT = -1e8
NO_CHOICE = -1
OPERATORS = set("Add ArgMax Clip Div Gemm Less Max Min Mul ReduceMean Relu Sqrt Sub Tanh Where".split())


def check_files(folder: Path, manifest: dict) -> None:
    """Every file has the size and hash of the manifest, and there are no others."""
    for entry in manifest["files"]:
        content = (folder / entry["name"]).read_bytes()
        check_equal(len(content), entry["bytes"], f"size of {entry['name']}")
        check_equal(hashlib.sha256(content).hexdigest(), entry["sha256"], f"sha256 of {entry['name']}")
    names = sorted([entry["name"] for entry in manifest["files"]] + ["bundle.json"])
    sums = "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    check_equal((folder / "SHA256SUMS").read_text(), sums, "SHA256SUMS")
    found = {p.name for p in folder.iterdir()} - {"SHA256SUMS", "SHA256SUMS.minisig"}
    check_equal(sorted(found), names, "list of files")


def check_form(path: Path, agent: dict) -> None:
    """The file is standard ONNX of the promised version, and says what it is."""
    model = onnx.load(path, load_external_data=False)
    try:
        onnx.checker.check_model(model, full_check=True)
        refusal = ""
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        refusal = str(error)
    check(not refusal, f"{path.name}: onnx.checker accepts it", refusal)
    check_equal(model.ir_version, 6, f"{path.name}: IR version")
    check_equal([(o.domain, o.version) for o in model.opset_import], [("", 11)], f"{path.name}: operator sets")
    foreign = {node.op_type for node in model.graph.node} - OPERATORS
    check(not foreign, f"{path.name}: only the promised operators", f"also {sorted(foreign)}")
    external = [t.name for t in model.graph.initializer if t.external_data]
    check(not external, f"{path.name}: all weights inside", f"elsewhere {external}")
    properties = {p.key: p.value for p in model.metadata_props}
    check("omiga.contract" in properties, f"{path.name}: has a contract", f"only {sorted(properties)}")
    contract = json.loads(properties["omiga.contract"])
    check_equal(contract["agent"], agent["name"], f"{path.name}: agent of the contract")
    check(contract["obs"] == agent["obs"], f"{path.name}: observation fields of the contract as in the manifest")
    check(contract["action"] == agent["action"], f"{path.name}: action of the contract as in the manifest")


def load_alone(path: Path) -> onnxruntime.InferenceSession:
    """A session from a folder where nothing else is."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(
            shutil.copy(path, folder), options, providers=["CPUExecutionProvider"]
        )
    check(True, f"{path.name}: loads alone in ONNX Runtime {onnxruntime.__version__}")
    return session


def run(session: onnxruntime.InferenceSession, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feed)))


def check_continuous(name: str, session: onnxruntime.InferenceSession, agent: dict, golden: dict) -> None:
    """Actions are the trainer's and never leave their bounds."""
    low, high = (np.array([f["range"][end] for f in agent["action"]["continuous"]]) for end in ("low", "high"))
    scale = np.maximum(1.0, (high - low) / 2)
    found = run(session, {"obs": golden["obs"]})["action"]
    check_equal(found.shape, golden["action"].shape, f"{name}: shape of the actions")
    check_close(np.abs((found - golden["action"]) / scale).max(), TOLERANCE, f"{name}: golden actions")
    spread = np.random.default_rng(0).uniform(-1, 1, (1000, len(agent["obs"]))).astype(np.float32)
    for size in (1.0, 1e3, 1e6):
        action = run(session, {"obs": spread * np.float32(size)})["action"]
        inside = np.isfinite(action).all() and (action >= low).all() and (action <= high).all()
        check(inside, f"{name}: 1000 actions within their bounds, observations up to {size:g}")


def check_discrete(name: str, session: onnxruntime.InferenceSession, golden: dict) -> None:
    """Logits and choices are the trainer's; a choice is always available."""
    mask = golden["action_mask"].astype(bool)
    outputs = run(session, {"obs": golden["obs"], "action_mask": mask})
    scale = np.maximum(1.0, np.abs(golden["logits"]))
    check_close(np.abs((outputs["logits"] - golden["logits"]) / scale).max(), TOLERANCE, f"{name}: golden logits")
    check((outputs["logits"][~mask] == np.float32(MASKED_LOGIT)).all(), f"{name}: unavailable logits are {MASKED_LOGIT:g}")
    rows = np.arange(len(mask))
    best, chosen = golden["logits"][rows, golden["action"]], golden["logits"][rows, outputs["action"]]
    worse = np.flatnonzero(best - chosen > TOLERANCE * np.maximum(1.0, np.abs(best)))
    check(len(worse) == 0, f"{name}: golden choices", f"cases {worse.tolist()} differ")
    check(mask[rows, outputs["action"]].all(), f"{name}: every choice is available")


def check_batch(name: str, session: onnxruntime.InferenceSession, golden: dict) -> None:
    """A batch of 7 gives what 7 single observations give."""
    rows = np.arange(7) % len(golden["obs"])
    feed = {"obs": golden["obs"][rows]}
    if "action_mask" in golden:
        feed["action_mask"] = golden["action_mask"][rows].astype(bool)
    together = run(session, feed)
    singles = [run(session, {k: v[i : i + 1] for k, v in feed.items()}) for i in range(7)]
    for output, batch in together.items():
        alone = np.concatenate([s[output] for s in singles])
        check_equal(batch.shape, alone.shape, f"{name}: shape of `{output}` of a batch of 7")
        difference = np.abs(batch - alone) / np.maximum(1, np.abs(alone))
        check_close(float(difference.max()), 0 if batch.dtype == np.int64 else 1e-6, f"{name}: `{output}` of a batch of 7")


def check_invalid(name: str, session: onnxruntime.InferenceSession, golden: dict) -> None:
    """What is not finite in an observation reaches every output of its row, and no other row."""
    for value in (np.nan, np.inf, -np.inf):
        for field in range(golden["obs"].shape[1]):
            feed = {"obs": golden["obs"][[0, 0]]}
            feed["obs"][1, field] = value
            if "action_mask" in golden:
                feed["action_mask"] = golden["action_mask"][[0, 0]].astype(bool)
            outputs = run(session, feed)
            numbers = outputs["logits" if "action_mask" in golden else "action"]
            shown = np.isnan(numbers[1]).all() and np.isfinite(numbers[0]).all()
            if "action_mask" in golden:
                shown = shown and outputs["action"].tolist() == [golden["action"][0], NO_CHOICE]
            check(shown, f"{name}: {value} in field {field} is seen in every output", f"{outputs}")


def check_policy(folder: Path, file: str, agent: dict, golden: dict[str, np.ndarray]) -> None:
    path = folder / file
    check_form(path, agent)
    session = load_alone(path)
    own = {k.removeprefix(f"{agent['name']}."): v for k, v in golden.items() if k.startswith(f"{agent['name']}.")}
    check(all(np.isfinite(v).all() for v in own.values()) and len(own["obs"]) > 0, f"{file}: {len(own['obs'])} golden cases")
    discrete = "discrete" in agent["action"]
    inputs = {i.name: (i.type, i.shape) for i in session.get_inputs()}
    expected = {"obs": ("tensor(float)", ["batch", len(agent["obs"])])}
    if discrete:
        expected["action_mask"] = ("tensor(bool)", ["batch", len(agent["action"]["discrete"])])
    check_equal(inputs, expected, f"{file}: inputs")
    if discrete:
        check_discrete(file, session, own)
    else:
        check_continuous(file, session, agent, own)
    check_batch(file, session, own)
    check_invalid(file, session, own)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path, help="folder written by `omiga export`")
    folder = parser.parse_args().bundle
    manifest = json.loads((folder / "bundle.json").read_text())
    check_equal(manifest["schema"], 2, "bundle's schema")
    check_files(folder, manifest)
    golden = load_file(folder / "golden.safetensors")
    for entry, agent in zip(manifest["agents"], manifest["task"]["agents"], strict=True):
        check_equal(entry["name"], agent["name"], "agent's name in the manifest")
        check_policy(folder, entry["policy"], agent, golden)
    check(not math.isnan(manifest["provenance"]["dataset"]["return_mean"]), "the dataset's mean return is a number")


if __name__ == "__main__":
    main()
