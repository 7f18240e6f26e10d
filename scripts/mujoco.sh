#!/usr/bin/env bash
# MuJoCo for the tasks halfcheetah-*, hopper-*, walker2d-*, ant-*:
#
#   scripts/mujoco.sh build   `omiga` with the simulator, in target/mujoco/release
#   scripts/mujoco.sh fetch   nothing but what such a build needs, for `cargo --features mujoco`
#   scripts/mujoco.sh test    the tests of omiga-env in that build
#   scripts/mujoco.sh lint    its lints
#   scripts/mujoco.sh agents  the example in which a bundle's agents run apart: agents BUNDLE [--fast] [--seed N]
#   scripts/mujoco.sh steps   the examples that count steps, for scripts/bench_env.sh
#   scripts/mujoco.sh replay  the episodes in the folders OMIGA_GYMNASIUM_DIR and OMIGA_GYMNASIUM_ROBOTICS_DIR, played here
#
# Fetches, once, into .deps/mujoco: the library out of PyPI's wheel of MuJoCo (Apache-2.0), the robots' models out of
# gymnasium's (MIT), and both licences. Nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly version=3.17.0 gymnasium=1.4.0 folder=$PWD/.deps/mujoco
target=$(realpath -m "${CARGO_TARGET_DIR:-target}/mujoco")
readonly target

fail() {
    echo "mujoco: $*" >&2
    exit 2
}

fetch() {
    [[ $(cat "$folder/VERSION" 2>/dev/null) == "$version $gymnasium" ]] && return
    [[ $(uname -s) == Linux ]] || fail "no set-up for $(uname -s); put libmujoco $version and the models into $folder yourself"
    source scripts/pip.sh
    mkdir -p .deps
    temporary=$(mktemp -d .deps/mujoco.XXXXXX)
    trap 'rm -rf "$temporary"' EXIT
    echo "mujoco: fetching MuJoCo $version and gymnasium's models $gymnasium"
    download_wheels "$temporary" "mujoco==$version" "gymnasium==$gymnasium"
    python3 - "$temporary" "$version" "$gymnasium" <<'PYTHON' || fail "the wheels do not hold what they should"
import pathlib, shutil, sys, zipfile

temporary, (version, gymnasium) = pathlib.Path(sys.argv[1]), sys.argv[2:]
library = f"libmujoco.so.{version}"
out = temporary / "out"
for folder in ("lib", "assets", "licences"):
    (out / folder).mkdir(parents=True)


def take(archive, name, target):
    with archive.open(name) as source, target.open("wb") as to:
        shutil.copyfileobj(source, to)


def licence(archive, package):
    names = [n for n in archive.namelist() if ".dist-info/" in n and "LICENSE" in n.upper()]
    take(archive, names[0], out / "licences" / package)


with zipfile.ZipFile(*temporary.glob("mujoco-*.whl")) as archive:
    take(archive, f"mujoco/{library}", out / "lib" / library)
    licence(archive, "mujoco")
with zipfile.ZipFile(*temporary.glob("gymnasium-*.whl")) as archive:
    for robot in ("ant", "half_cheetah", "hopper", "walker2d_v5"):
        take(archive, f"gymnasium/envs/mujoco/assets/{robot}.xml", out / "assets" / f"{robot}.xml")
    licence(archive, "gymnasium")
(out / "lib" / "libmujoco.so").symlink_to(library)
(out / "VERSION").write_text(f"{version} {gymnasium}\n")
PYTHON
    rm -rf "$folder"
    mv "$temporary/out" "$folder"
}

# A target folder of its own, so that no build without the simulator takes this one's place. Cargo knows the folder of the
# library from .cargo/config.toml.
run_cargo() {
    CARGO_TARGET_DIR=$target cargo "$@"
}

if [[ $(uname -s) != Linux && ! ${1:-build} =~ ^(build|fetch)$ ]]; then
    echo "mujoco: SKIPPED: no set-up for $(uname -s)"
    exit 0
fi
fetch
case ${1:-build} in
    fetch) ;;
    build)
        run_cargo build --release --features mujoco --bin omiga
        echo "mujoco: $(realpath --relative-to="$PWD" "$target")/release/omiga; it finds the simulator and the models in $folder"
        ;;
    test) run_cargo test -p omiga-env --features mujoco ;;
    lint) run_cargo clippy -p omiga-env --features mujoco --all-targets -- -D warnings ;;
    steps) run_cargo build --release --quiet -p omiga-env --features mujoco --example steps --example physics ;;
    agents) run_cargo run --release --quiet --features mujoco --example mujoco_decentralised -- "${@:2}" ;;
    replay) run_cargo test -p omiga-env --features mujoco --test gymnasium --test gymnasium_robotics ;;
    *) fail "\`$1\` is unknown, expected build, fetch, test, lint, agents, steps or replay" ;;
esac
