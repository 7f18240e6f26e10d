# Sourced by scripts that play tasks: builds the program that they need, and says where ONNX Runtime is.

export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$PWD/.deps/onnxruntime/libonnxruntime.so}

# build_program TASKS DEVICE sets `omiga` to it; to $OMIGA, if that names one that is there already.
build_program() {
    local target=${CARGO_TARGET_DIR:-target}
    omiga=${OMIGA:-}
    if [[ -n $omiga ]]; then
        return
    elif [[ $2 != cpu ]]; then
        scripts/cuda.sh build
        omiga=$target/cuda/release/omiga
    elif [[ $1 =~ (halfcheetah|hopper|walker2d|ant)- ]]; then
        scripts/mujoco.sh build
        omiga=$target/mujoco/release/omiga
    else
        cargo build --release
        omiga=$target/release/omiga
    fi
}
