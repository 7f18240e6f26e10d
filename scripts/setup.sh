#!/usr/bin/env bash
# Fetch ONNX Runtime's shared library into .deps/onnxruntime, out of PyPI's wheel. Does nothing, quietly, when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "setup: $*" >&2
    exit 2
}

case "$(uname -s)" in
    Linux) library='onnxruntime/capi/libonnxruntime.so.*=libonnxruntime.so' ;;
    Darwin) library='onnxruntime/capi/libonnxruntime.*.dylib=libonnxruntime.dylib' ;;
    *) fail "no ONNX Runtime for $(uname -s) here; set ORT_DYLIB_PATH to its library" ;;
esac

source scripts/pip.sh
take_from_wheels scripts/onnxruntime.txt .deps/onnxruntime "$library"
