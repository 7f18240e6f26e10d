# Sourced by scripts that play tasks: builds the program, fetches what it loads, and says where ONNX Runtime is.

case $(uname -s) in
    Darwin) library=libonnxruntime.dylib ;;
    *) library=libonnxruntime.so ;;
esac
export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$PWD/.deps/onnxruntime/$library}

# build_program TASKS DEVICE sets `omiga` to it; to $OMIGA, if that names one that is there already.
build_program() {
    local target=${CARGO_TARGET_DIR:-target}
    omiga=${OMIGA:-}
    if [[ $1 =~ (halfcheetah|hopper|walker2d|ant)- ]]; then
        scripts/mujoco.sh
    fi
    if [[ -n $omiga ]]; then
        return
    elif [[ $2 != cpu ]]; then
        scripts/cuda.sh build
        omiga=$target/cuda/release/omiga
    else
        cargo build --release
        omiga=$target/release/omiga
    fi
}
