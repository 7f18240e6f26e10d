import onnx
import onnx2torch
import torch


def load(path, scratch, options):
    torch.set_num_threads(1)
    model = onnx.load(path)
    module = onnx2torch.convert(model).eval()
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]

    def run(feed):
        with torch.inference_mode():
            found = module(*(torch.from_numpy(feed[name].copy()) for name in inputs))
        found = found if isinstance(found, (list, tuple)) else [found]
        return {name: value.numpy() for name, value in zip(outputs, found)}

    return run
