import shutil
import subprocess
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

import adapters.onnx_names as onnx_names


def load(path, scratch, options):
    """onnx2tf writes into the file that it is given, so it gets a copy."""
    shutil.copy(path, scratch / "model.onnx")
    convert = "import onnx2tf; onnx2tf.convert(input_onnx_file_path='model.onnx', output_folder_path='tf', non_verbose=True)"
    done = subprocess.run([sys.executable, "-c", convert], cwd=scratch, capture_output=True, text=True)
    written = scratch / "tf" / "model_float32.tflite"
    if done.returncode or not written.exists():
        raise RuntimeError(f"onnx2tf: {(done.stdout + done.stderr).strip()[-300:]}")
    interpreter = Interpreter(str(written), num_threads=1)
    outputs = onnx_names.of(path)[1]
    inputs = {detail["name"].removeprefix("serving_default_").split(":")[0]: detail for detail in interpreter.get_input_details()}
    rows = None

    def run(feed):
        nonlocal rows
        if rows != len(feed["obs"]):
            rows = len(feed["obs"])
            for name, value in feed.items():
                interpreter.resize_tensor_input(inputs[name]["index"], value.shape)
            interpreter.allocate_tensors()
        for name, value in feed.items():
            interpreter.set_tensor(inputs[name]["index"], value)
        interpreter.invoke()
        # They have no names of ours; an index is the only whole number.
        found = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
        whole = [value for value in found if value.dtype.kind == "i"]
        real = [value for value in found if value.dtype.kind == "f"]
        return {name: (whole if name == "action" and "logits" in outputs else real)[0].copy() for name in outputs}

    return run
