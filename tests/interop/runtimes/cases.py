"""What every runtime is given: policies in several forms, inputs, and what ONNX Runtime answers to them.

Each policy gets a folder with one `.onnx` per form and `inputs.npz`: the bundle's golden vectors, and batches of 0, 1, 7 and 1024
observations with the outputs of the usual form in the ONNX Runtime that runs this.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime

BATCHES = (0, 1, 7, 1024)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file: its length, a JSON header, bytes."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    kinds = {"F32": np.float32, "I64": np.int64, "U8": np.uint8}
    tensors = {}
    for name, entry in json.loads(content[8:end]).items():
        if name != "__metadata__":
            low, high = entry["data_offsets"]
            flat = np.frombuffer(content[end + low : end + high], kinds[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def golden_of(bundle: Path, agent: str) -> dict[str, np.ndarray]:
    tensors = read_safetensors(bundle / "golden.safetensors")
    return {name.removeprefix(f"{agent}."): tensor for name, tensor in tensors.items() if name.startswith(f"{agent}.")}


def batch_of(golden: dict[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
    """Golden observations, moved a little, with every other mask that they have."""
    rng = np.random.default_rng(rows)
    source = np.arange(rows) % len(golden["obs"])
    obs = golden["obs"][source]
    feed = {"obs": (obs + 0.05 * np.abs(obs) * rng.standard_normal(obs.shape)).astype(np.float32)}
    if "action_mask" in golden:
        feed["action_mask"] = golden["action_mask"][source].astype(bool)
    return feed


def write(folder: Path, bundles: dict[str, Path], agent: str) -> None:
    folder.mkdir(parents=True)
    for form, bundle in bundles.items():
        shutil.copy(bundle / f"{agent}.onnx", folder / f"{form}.onnx")
    usual = bundles["usual"]
    golden = golden_of(usual, agent)
    session = onnxruntime.InferenceSession(usual / f"{agent}.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    arrays = {f"golden.{name}": tensor for name, tensor in golden.items()}
    for rows in BATCHES:
        feed = batch_of(golden, rows)
        arrays |= {f"batch.{rows}.{name}": tensor for name, tensor in feed.items()}
        arrays |= {f"batch.{rows}.{name}": tensor for name, tensor in zip(names, session.run(names, feed))}
    np.savez(folder / "inputs.npz", **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", type=Path, help="folder of bundles, POLICY/FORM each")
    parser.add_argument("--agents", nargs="+", required=True, metavar="POLICY=AGENT")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for policy, agent in (pair.split("=") for pair in arguments.agents):
        forms = {path.name: path for path in sorted((arguments.bundles / policy).iterdir())}
        write(arguments.out / policy, forms, agent)


if __name__ == "__main__":
    main()
