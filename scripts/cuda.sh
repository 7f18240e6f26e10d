#!/usr/bin/env bash
# The program for NVIDIA GPUs, on any x86-64 Linux, with or without a GPU, driver or CUDA toolkit:
#
#   scripts/cuda.sh build   `omiga` with candle's CUDA backend, in target/cuda/release
#   scripts/cuda.sh test    the tests of omiga-train in that build, on the CPU and on the GPU if there is one
#
#   CUDA_HOME         a CUDA toolkit to build with            (default: that of `nvcc`; else one from PyPI in .deps/cuda)
#   CUDA_COMPUTE_CAP  the GPU's compute capability           (default: that of this machine's first GPU; else 90: H100, H200)
#   DEVICE            test: the GPU, e.g. cuda:1; it must be there   (default: cuda:0 if nvidia-smi shows a GPU)
#
# The first build compiles candle's kernels: about 15 minutes on two cores, and again whenever CUDA_HOME or
# CUDA_COMPUTE_CAP changes. From 90 on the kernels run on exactly that capability, below it also on newer GPUs.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly root=$PWD deps=$PWD/.deps/cuda wanted=scripts/cuda/requirements.txt
target=$(realpath -m "${CARGO_TARGET_DIR:-target}/cuda")
readonly target

fail() {
    echo "cuda: $*" >&2
    exit 2
}

# One toolkit from the wheels on PyPI, as a folder: .deps/cuda/toolkit/nvidia/cu13.
fetch_toolkit() {
    [[ $(uname -sm) == "Linux x86_64" ]] || fail "no CUDA toolkit, and wheels only for Linux x86_64, not $(uname -sm); install NVIDIA's and set CUDA_HOME"
    cmp -s "$wanted" "$deps/installed.txt" && return
    source scripts/pip.sh
    need_pip
    echo "cuda: fetching a CUDA toolkit into .deps/cuda (650 MB, 1.2 GB unpacked)"
    rm -rf "$deps"
    mkdir -p "$deps"
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-compile \
        --only-binary=:all: --require-hashes --target "$deps/toolkit" -r "$wanted" || fail "cannot fetch $wanted; is there a network?"
    local home=$deps/toolkit/nvidia/cu13 library
    # The linker looks for names without versions, some tools for lib64.
    for library in "$home"/lib/lib*.so.*; do
        ln -sfn "$(basename "$library")" "${library%%.so.*}.so"
    done
    ln -sfn lib "$home/lib64"
    cp "$wanted" "$deps/installed.txt"
}

# CUDA_HOME, nvcc on PATH, and the folder of the libraries.
find_toolkit() {
    if [[ -n ${CUDA_HOME:-} ]]; then
        [[ -x $CUDA_HOME/bin/nvcc ]] || fail "CUDA_HOME is \`$CUDA_HOME\`, but there is no bin/nvcc; unset it to fetch a toolkit"
        CUDA_HOME=$(realpath "$CUDA_HOME")
    elif command -v nvcc >/dev/null; then
        CUDA_HOME=$(dirname "$(dirname "$(realpath "$(command -v nvcc)")")")
    else
        fetch_toolkit
        CUDA_HOME=$deps/toolkit/nvidia/cu13
    fi
    if [[ -z ${CUDA_COMPUTE_CAP:-} ]]; then
        CUDA_COMPUTE_CAP=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | sed -nE '1s/^([0-9]+)\.([0-9])$/\1\2/p' || true)
        CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90}
    fi
    export CUDA_HOME CUDA_COMPUTE_CAP PATH=$CUDA_HOME/bin:$PATH
    nvcc --version >/dev/null || fail "\`$CUDA_HOME/bin/nvcc\` does not run; remove .deps/cuda or set another CUDA_HOME"
    for libraries in "$CUDA_HOME"/{lib64,lib,targets/*/lib,lib/*-linux-gnu}; do
        [[ ! -e $libraries/libcudart.so ]] || break
    done
    [[ -e $libraries/libcudart.so ]] || fail "no libcudart.so in $CUDA_HOME; is the whole toolkit installed?"
    echo "cuda: $(nvcc --version | sed -n 's/.*\(release [0-9.]*\).*/\1/p') in $CUDA_HOME, for compute capability $CUDA_COMPUTE_CAP"
}

# libcuda.a, linked in the driver's place: see driver.c.
make_driver() {
    command -v cc >/dev/null && command -v c++ >/dev/null || fail "there is no C++ compiler; install one (on Debian: apt-get install g++)"
    driver=$deps/driver
    mkdir -p "$driver"
    local cudarc
    cudarc=$(cargo metadata --format-version 1 --features cuda | grep -oE '"manifest_path":"[^"]*/cudarc-[0-9.]+/Cargo.toml"' |
        cut -d '"' -f 4) || fail "cargo metadata names no cudarc; does candle still use it?"
    cudarc=$(dirname "$cudarc")/src/driver/sys/mod.rs
    [[ -f $cudarc ]] || fail "no \`$cudarc\`; has cudarc moved its list of driver functions?"
    grep -oE '\bfn cu[A-Z][A-Za-z0-9_]*' "$cudarc" | sed 's/fn \(.*\)/FUNCTION(\1)/' | LC_ALL=C sort -u >"$driver/driver_functions.h"
    grep -qx 'FUNCTION(cuInit)' "$driver/driver_functions.h" || fail "no cuInit in \`$cudarc\`; adapt scripts/cuda.sh"
    cc -O2 -fPIC -Wall -Werror -I "$driver" -c scripts/cuda/driver.c -o "$driver/driver.o"
    rm -f "$driver/libcuda.a"
    ar rcs "$driver/libcuda.a" "$driver/driver.o"
}

# cargo with this toolkit, into a target folder of its own, as the flags differ. The old kind of run path, because it also
# holds for what the libraries look for themselves: NVRTC its built-ins.
run_cargo() {
    local flags=(-L "native=$driver" -C "link-arg=-Wl,-rpath,$libraries,--disable-new-dtags") IFS=$'\x1f'
    CARGO_ENCODED_RUSTFLAGS="${flags[*]}" CARGO_ENCODED_RUSTDOCFLAGS="${flags[*]}" CARGO_TARGET_DIR=$target cargo "$@"
}

build() {
    run_cargo build --release --features cuda --bin omiga
    local omiga=$target/release/omiga libraries_of
    libraries_of=$(ldd "$omiga")
    [[ $libraries_of != *"not found"* ]] || fail "\`$omiga\` does not find its libraries:"$'\n'"$libraries_of"
    [[ $libraries_of != *libcuda.so* ]] || fail "\`$omiga\` needs a driver to start: another libcuda was linked than $driver/libcuda.a"
    "$omiga" --version >/dev/null || fail "\`$omiga\` does not start"
    echo "cuda: $(realpath --relative-to="$root" "$omiga")"
    echo "cuda: it finds cuBLAS, cuRAND, NVRTC and the CUDA runtime in $libraries (elsewhere: LD_LIBRARY_PATH)"
    echo "cuda: --device cuda:0 needs an NVIDIA driver that knows CUDA $(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')"
}

run_tests() {
    local gpus test tests=(--lib)
    for test in crates/train/tests/*.rs; do
        tests+=(--test "$(basename "$test" .rs)")
    done
    if [[ -z ${DEVICE:-} ]]; then
        gpus=$(nvidia-smi -L 2>/dev/null || true)
        [[ $gpus != GPU* ]] || DEVICE=cuda:0
    fi
    # Together with the program's package: alone it would be another build, kernels included.
    OMIGA_TEST_DEVICE=${DEVICE:-} run_cargo test --release --features cuda -p omiga -p omiga-train "${tests[@]}"
    if [[ -n ${DEVICE:-} ]]; then
        echo "cuda: tested on the CPU and $DEVICE"
    else
        echo "cuda: tested on the CPU only: nvidia-smi shows no GPU here"
    fi
}

action=${1:-build}
[[ $action == build || $action == test ]] || fail "\`$action\` is unknown, expected build or test"
find_toolkit
make_driver
if [[ $action == test ]]; then run_tests; else build; fi
