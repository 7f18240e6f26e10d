from tinygrad import Tensor
from tinygrad.nn.onnx import OnnxRunner


def load(path, scratch, options):
    model = OnnxRunner(str(path))
    return lambda feed: {name: value.numpy() for name, value in model({k: Tensor(v) for k, v in feed.items()}).items()}
