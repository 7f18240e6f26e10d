import subprocess
import sys

import MNN.expr as expr
import numpy as np
from MNN import nn

import adapters.onnx_names as onnx_names


def load(path, scratch, options):
    converted = scratch / "model.mnn"
    # What the command `mnnconvert` calls before it installs a package and reports the conversion.
    command = [sys.executable, "-c", "import sys, _tools; _tools.mnnconvert(sys.argv)"]
    command += ["-f", "ONNX", "--modelFile", path, "--MNNModel", converted, "--bizCode", "policy"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    inputs, outputs = onnx_names.of(path)
    one_thread = nn.create_runtime_manager(({"numThread": 1},))
    net = nn.load_module_from_file(str(converted), inputs, outputs, runtime_manager=one_thread)

    def variable(value):
        kind = expr.float if value.dtype == np.float32 else expr.int
        placeholder = expr.placeholder(list(value.shape), expr.NCHW, kind)
        placeholder.write(value if kind == expr.float else value.astype(np.int32).reshape(-1).tolist())
        return placeholder

    def run(feed):
        found = net.forward([variable(feed[name]) for name in inputs])
        return {name: np.array(value.read()) for name, value in zip(outputs, found)}

    return run
