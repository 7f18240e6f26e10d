import onnx
import tvm
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx


def load(path, scratch, options):
    model = onnx.load(path)
    module = from_onnx(model, keep_params_in_input=False)
    built = tvm.compile(module, target="llvm")
    machine = relax.VirtualMachine(built, tvm.cpu())
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]

    def run(feed):
        found = machine["main"](*(tvm.runtime.tensor(feed[name]) for name in inputs))
        found = [found] if len(outputs) == 1 and not isinstance(found, (list, tuple, tvm.ir.Array)) else found
        return {name: value.numpy() for name, value in zip(outputs, found)}

    return run
