import openvino


def load(path, scratch, options):
    hints = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", **options.get("hints", {})}
    model = openvino.Core().compile_model(str(path), "CPU", hints)
    names = [output.get_any_name() for output in model.outputs]
    request = model.create_infer_request()

    def run(feed):
        found = request.infer(feed)
        return {name: found[output].copy() for name, output in zip(names, model.outputs)}

    return run
