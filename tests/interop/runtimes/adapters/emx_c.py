import ctypes
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

import adapters.onnx_names as onnx_names


def load(path, scratch, options):
    """C from the generator, compiled with gcc; the graph's own function takes arrays, the outputs last."""
    source = scratch / "model.c"
    tool = Path(sys.executable).with_name("emx-onnx-cgen")
    done = subprocess.run([tool, "compile", path, source], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"emx-onnx-cgen: {(done.stdout + done.stderr).strip()[-300:]}")
    library = scratch / "model.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, source, "-lm"], check=True, capture_output=True)
    name, parameters = signature(source.read_text())
    made = ctypes.CDLL(str(library))
    # Larger weights are in a file beside the source.
    if hasattr(made, "model_load") and not made.model_load(str(source.with_name("model.bin")).encode()):
        raise RuntimeError("the C code does not load its weights")
    function = made[name]
    function.restype = None
    inputs, outputs = onnx_names.of(path)

    def run(feed):
        rows, width = feed["obs"].shape[0], options["actions"]
        made = {"logits": np.zeros((rows, width), np.float32), "action": np.zeros((rows, width), np.float32)}
        if "action_mask" in feed:
            made["action"] = np.zeros(rows, np.int64)
        arrays = {**{k: np.ascontiguousarray(v) for k, v in feed.items()}, **{k: made[k] for k in outputs}}
        function(*(rows if p not in arrays else arrays[p].ctypes.data_as(ctypes.c_void_p) for p in parameters))
        return {k: made[k] for k in outputs}

    return run


def signature(source):
    """The last function that is not static: its name and its parameters' names."""
    found = re.findall(r"^(?:_Bool|void|int)\s+(\w+)\(([^)]*)\)\s*\{", source, re.MULTILINE)
    name, parameters = found[-1]
    return name, [re.search(r"(\w+)\s*(?:\[.*)?$", p.strip()).group(1) for p in re.split(r",(?![^\[]*\])", parameters)]
