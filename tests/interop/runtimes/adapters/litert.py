import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

import adapters.onnx_names as onnx_names


def load(path, scratch, options):
    """onnx2tf writes into the file that it is given, so it gets a copy."""
    model = shutil.copy(path, scratch / "model.onnx")
    tool = Path(sys.executable).with_name("onnx2tf")
    command = [tool, "-i", model, "-o", scratch / "tf", "-osd", "-n"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
    written = scratch / "tf" / "model_float32.tflite"
    if done.returncode or not written.exists():
        raise RuntimeError(f"onnx2tf: {(done.stdout + done.stderr).strip()[-300:]}")
    runner = Interpreter(str(written), num_threads=1).get_signature_runner()
    outputs = onnx_names.of(path)[1]

    def run(feed):
        found = runner(**feed)
        return {name: np.array(found[name]) for name in outputs}

    return run
