import subprocess
import sys

import iree.compiler
import iree.runtime
import onnx


def load(path, scratch, options):
    model = onnx.load(path)
    imported = scratch / "model.mlir"
    command = [sys.executable, "-m", "iree.compiler.tools.import_onnx", path, "-o", imported, "--opset-version", "17"]
    subprocess.run(command, check=True, capture_output=True)
    compiled = iree.compiler.tools.compile_file(str(imported), target_backends=["llvm-cpu"], input_type="onnx")
    context = iree.runtime.SystemContext(config=iree.runtime.Config("local-sync"))
    module = iree.runtime.VmModule.copy_buffer(context.instance, compiled)
    context.add_vm_module(module)
    functions = [name for name in module.function_names if not name.startswith("__") and not name.endswith("async")]
    call = context.modules[module.name][functions[0]]
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]

    def run(feed):
        found = call(*(feed[name] for name in inputs))
        found = found if isinstance(found, (list, tuple)) else [found]
        return {name: value.to_host() for name, value in zip(outputs, found)}

    return run
