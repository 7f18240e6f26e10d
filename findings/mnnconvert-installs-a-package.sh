#!/usr/bin/env bash
# MNN 3.6.1's command `mnnconvert` runs `pip install -U aliyun-log-python-sdk` with whatever pip comes first.
#
# Guess: a converter reads one file and writes another.
# Seen: where that package is not installed, every conversion calls pip for it, outside of the environment that the command is of if
# that is not active; once it is there, arguments and sizes of the files are reported to the makers.
# Instead: `python -c "import sys, _tools; _tools.mnnconvert(sys.argv)" -f ONNX ...` is the conversion alone.
#
# Here: a `pip` of our own comes first and writes down what it is asked for.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check MNN==3.6.1 numpy==2.4.6 onnx==1.23.2

venv/bin/python - <<'PYTHON'
import onnx
from onnx import TensorProto, helper

row = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])
graph = helper.make_graph([helper.make_node("Tanh", ["x"], ["y"])], "tanh", [row("x")], [row("y")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "x.onnx")
PYTHON

mkdir first
printf '#!/bin/sh\necho "$*" >>"%s/asked.txt"\nexit 1\n' "$folder" >first/pip
chmod +x first/pip
convert=(-f ONNX --modelFile x.onnx --MNNModel x.mnn --bizCode x)
PATH=$folder/first:$PATH venv/bin/mnnconvert "${convert[@]}" >/dev/null
[[ -s x.mnn ]] || { echo "nothing was converted"; exit 1; }
[[ -f asked.txt ]] || { echo "pip was not called: it changed"; exit 1; }
cat asked.txt
grep -qx 'install -U aliyun-log-python-sdk' asked.txt

rm asked.txt x.mnn
PATH=$folder/first:$PATH venv/bin/python -c "import sys, _tools; _tools.mnnconvert(sys.argv)" "${convert[@]}" >/dev/null
[[ -s x.mnn && ! -e asked.txt ]]
