import numpy as np
import onnx
from jaxonnxruntime import config
from jaxonnxruntime.backend import Backend

config.update("jaxort_only_allow_initializers_as_static_args", False)


def load(path, scratch, options):
    model = onnx.load(path)
    prepared = Backend.prepare(model)
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]

    def run(feed):
        found = prepared.run([feed[name] for name in inputs])
        return {name: np.asarray(value) for name, value in zip(outputs, found)}

    return run
