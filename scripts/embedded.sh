#!/usr/bin/env bash
# The runtime without the standard library on an emulated Cortex-M4F: each bundle, in a firmware of its own (examples/firmware),
# must say on the board what it says here. Arguments: folders of bundles; else the shipped ones and a discrete one, signed.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
firmware=$root/examples/firmware
target=thumbv7em-none-eabihf
export CARGO_TARGET_DIR=$root/target/firmware
program=$CARGO_TARGET_DIR/$target/release/omiga-firmware

skip() {
    echo "SKIPPED: $*"
    exit 0
}

# exercise BUNDLE [KEY]: there and here.
exercise() {
    local name said flash
    name=$(basename "$1")
    said=$CARGO_TARGET_DIR/$name.txt
    flash=$(cat "$1"/* | wc -c)
    (
        export OMIGA_BUNDLE=$1
        [ -z "${2:-}" ] || export OMIGA_PUBLIC_KEY=$2
        cd "$firmware"
        cargo run -q --locked >"$said.here"
        cargo build -q --locked --release --target "$target"
    )
    # An instruction takes a nanosecond, so that the board's clock counts them.
    timeout 300 qemu-system-arm -machine mps2-an386 -icount shift=0 -nographic -monitor none -serial none \
        -semihosting-config enable=on,target=native -kernel "$program" >"$said"
    diff <(grep -v '^#' "$said.here") <(grep -v '^#' "$said") || {
        echo "embedded: $name: the board (>) says something else than this machine (<)" >&2
        exit 1
    }
    grep 'golden' "$said"
    grep '^#' "$said"
    sizes "$flash"
    echo "$name: the board says what this machine says"
}

# sizes BUNDLE_BYTES: what is in flash and in memory before the heap is used.
sizes() {
    local number section size code=0 constants=$((-$1)) data=0
    while read -r number section size; do
        case $section in
        .vector_table | .text) code=$((code + 16#$size)) ;;
        .rodata) constants=$((constants + 16#$size)) ;;
        .data | .bss | .uninit) data=$((data + 16#$size)) ;;
        esac
    done < <(readelf -SW "$program" | sed -n 's/^ *\[ *\([0-9]*\)\]/\1/p' | awk '{print $1, $2, $6}')
    echo "# flash: $code bytes of code, $constants of constants, $1 of the bundle; memory beside heap and stack: $data"
}

rustup target list --installed 2>/dev/null | grep -qx "$target" || rustup target add "$target" ||
    skip "this Rust has no core library for $target and cannot fetch it; with rustup: rustup target add $target"
command -v qemu-system-arm >/dev/null ||
    skip "there is no qemu-system-arm; install it (on Debian: apt-get install qemu-system-arm)"
mkdir -p "$CARGO_TARGET_DIR"
if [ $# -gt 0 ]; then
    for bundle in "$@"; do exercise "$(realpath "$bundle")"; done
else
    for manifest in "$root"/models/*/bundle.json; do exercise "$(dirname "$manifest")"; done
    exercise "$firmware/spread-discrete" "$(grep '^RW' "$root/tests/golden/minisign/first.pub")"
fi
