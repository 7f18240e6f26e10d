import tract


def load(path, scratch, options):
    model = tract.onnx().load(str(path)).into_model()
    inputs = [model.input_name(i) for i in range(model.input_count())]
    outputs = [model.output_name(i) for i in range(model.output_count())]
    runnable = model.into_runnable()

    def run(feed):
        found = runnable.run([feed[name] for name in inputs])
        return dict(zip(outputs, (value.to_numpy() for value in found)))

    return run
