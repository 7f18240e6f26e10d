#!/usr/bin/env bash
# OpenVINO 2026.4.1, tract 0.23.9 and OpenCV 5.0.0 make finite numbers of a NaN, where ONNX Runtime 1.32.0 and ONNX's own reference
# (1.23.2) keep it.
#
# Guess: a NaN that goes into `Relu`, `Max`, `Min` or `Clip` comes out as NaN, as IEEE 754's arithmetic and ONNX's reference do it, so
# that whoever looks at the outputs of a network sees a broken sensor.
# Seen: OpenVINO and tract give the other operand: 0 for Relu, a bound for Max, Min and Clip. OpenCV keeps it but in Clip, where it
# depends on the place in the row: elements of whole vectors become the lower bound, those left over at the end stay NaN. So one file
# gives a NaN in one engine and a plausible number in the next.
#
# Here: a row of 20, all NaN, through each operator alone.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 \
    tract==0.23.9 opencv-python-headless==5.0.0.93

venv/bin/python - <<'PYTHON'
import cv2
import numpy as np
import onnx
import onnx.reference
import onnxruntime
import openvino
import tract
from onnx import TensorProto, helper, numpy_helper

WIDTH = 20


def model(operator, *bounds):
    row = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, WIDTH])
    constants = [numpy_helper.from_array(np.array(b, np.float32), f"b{i}") for i, b in enumerate(bounds)]
    node = helper.make_node(operator, ["x", *(c.name for c in constants)], ["y"])
    graph = helper.make_graph([node], operator, [row("x")], [row("y")], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, "x.onnx")


def by_reference(x):
    return onnx.reference.ReferenceEvaluator("x.onnx").run(None, {"x": x})[0]


def by_onnxruntime(x):
    return onnxruntime.InferenceSession("x.onnx", providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def by_openvino(x):
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model("x.onnx", "CPU", hint)(x)[0]


def by_tract(x):
    return tract.onnx().load("x.onnx").into_model().into_runnable().run([x])[0].to_numpy()


def by_opencv(x):
    net = cv2.dnn.readNetFromONNX("x.onnx")
    net.setInput(x)
    return net.forward()


SEEN = {
    "Relu": {"openvino": "0", "tract": "0"},
    "Max": {"openvino": "-1", "tract": "-1"},
    "Min": {"openvino": "1", "tract": "1"},
    "Clip": {"openvino": "-1", "tract": "-1", "opencv": "-1 and nan"},
}
BOUNDS = {"Relu": (), "Max": (-1,), "Min": (1,), "Clip": (-1, 1)}
ENGINES = {
    "reference": by_reference,
    "onnxruntime": by_onnxruntime,
    "openvino": by_openvino,
    "tract": by_tract,
    "opencv": by_opencv,
}
nothing = np.full((1, WIDTH), np.nan, np.float32)
for operator, bounds in BOUNDS.items():
    model(operator, *bounds)
    found = {name: np.asarray(run(nothing)).ravel() for name, run in ENGINES.items()}
    words = {
        name: " and ".join(sorted({f"{v:g}" for v in y}))
        for name, y in found.items()
    }
    print(f"{operator:5}", ", ".join(f"{name} {word}" for name, word in words.items()))
    expected = {name: SEEN[operator].get(name, "nan") for name in ENGINES}
    assert words == expected, f"{operator}: {words}, expected {expected}: an engine changed"
PYTHON
