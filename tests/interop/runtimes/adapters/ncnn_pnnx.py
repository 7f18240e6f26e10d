import shutil
import subprocess
import sys
from pathlib import Path

import ncnn
import numpy as np

import adapters.onnx_names as onnx_names


def load(path, scratch, options):
    """pnnx wants the shapes of one observation, and writes beside its input; it succeeds where it left operators out."""
    model = shutil.copy(path, scratch / "model.onnx")
    shapes = ",".join(f"[1,{width}]f32" for width in options["widths"])
    tool = Path(sys.executable).with_name("pnnx")
    done = subprocess.run(
        [tool, model, f"inputshape={shapes}", "fp16=0"], check=True, cwd=scratch, capture_output=True, text=True
    )
    ignored = [line for line in (done.stdout + done.stderr).splitlines() if "ignore" in line or "unsupported" in line]
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    if net.load_param(str(scratch / "model.ncnn.param")) or net.load_model(str(scratch / "model.ncnn.bin")):
        raise RuntimeError(f"ncnn does not load what pnnx wrote: {ignored}")
    inputs, outputs = onnx_names.of(path)

    def run(feed):
        with net.create_extractor() as extractor:
            for i, name in enumerate(inputs):
                extractor.input(f"in{i}", ncnn.Mat(np.ascontiguousarray(feed[name][0], np.float32)).clone())
            found = {}
            for i, name in enumerate(outputs):
                status, value = extractor.extract(f"out{i}")
                if status:
                    raise RuntimeError(f"ncnn gives no `{name}`: {ignored}")
                found[name] = np.array(value).reshape(1, -1)
            return found

    return run
