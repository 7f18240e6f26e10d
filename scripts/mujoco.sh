#!/usr/bin/env bash
# Fetch MuJoCo for the tasks halfcheetah-*, hopper-*, walker2d-*, ant-* into .deps/mujoco: the library and its headers out of PyPI's
# wheel of MuJoCo (Apache-2.0), the robots' models out of gymnasium's (MIT), and both licences. Does nothing, quietly, when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "mujoco: $*" >&2
    exit 2
}

case "$(uname -s)" in
    Linux) library='mujoco/libmujoco.so.*=lib/libmujoco.so' ;;
    Darwin) library='mujoco/libmujoco.*.dylib=lib/libmujoco.dylib' ;;
    *) fail "no MuJoCo for $(uname -s) here; set OMIGA_MUJOCO_LIBRARY to its library and OMIGA_MUJOCO_ASSETS to the models' folder" ;;
esac

robots=()
for robot in ant half_cheetah hopper walker2d_v5; do
    robots+=("gymnasium/envs/mujoco/assets/$robot.xml=assets/$robot.xml")
done
source scripts/pip.sh
take_from_wheels scripts/mujoco.txt .deps/mujoco "$library" 'mujoco/include/mujoco/*.h=include/mujoco/' "${robots[@]}" \
    'mujoco-*.dist-info/licenses/LICENSE=licences/mujoco' 'gymnasium-*.dist-info/licenses/LICENSE=licences/gymnasium'
