"""Tools that write another ONNX file, which ONNX Runtime then runs."""

import onnx

from adapters import onnxruntime_python


def load(path, scratch, options):
    model = onnx.load(path)
    if options["by"] == "onnxslim":
        import onnxslim

        model = onnxslim.slim(model)
    else:
        import onnxsim

        model, right = onnxsim.simplify(model)
        if not right:
            raise RuntimeError("onnxsim's own check fails")
    onnx.save(model, scratch / "model.onnx")
    return onnxruntime_python.load(scratch / "model.onnx", scratch, {})
