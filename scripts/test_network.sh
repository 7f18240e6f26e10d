#!/usr/bin/env bash
# A plant and six nodes, each in a network namespace of its own, on a bridge: `crates/node/tests/suite/namespaces.rs`. The kernel spoils the
# links (netem) where it can; else relays of the test between the plant and each node do.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() { echo "make test-network is skipped: $1"; exit 0; }
[[ $(id -u) == 0 ]] || skip "namespaces are root's to make"
command -v ip tc >/dev/null || skip "there is no ip and tc (package iproute2)"

prefix=omiga-$$-
plant=${prefix}plant
end() { for name in "$plant" "$prefix"{0..5}; do ip netns delete "$name" 2>/dev/null || true; done; }
trap end EXIT
ip netns add "$plant" 2>/dev/null || skip "this system makes no namespaces"
ip -n "$plant" link set lo up
ip -n "$plant" link add bridge type bridge || skip "this kernel has no bridges"
ip -n "$plant" address add 10.83.0.1/24 dev bridge
ip -n "$plant" link set bridge up
for i in {0..5}; do
    ip netns add "$prefix$i"
    ip -n "$plant" link add "node$i" type veth peer name eth0 netns "$prefix$i" || skip "this kernel has no veth"
    ip -n "$plant" link set "node$i" master bridge up
    ip -n "$prefix$i" address add "10.83.0.$((i + 2))/24" dev eth0
    ip -n "$prefix$i" link set lo up
    ip -n "$prefix$i" link set eth0 up
done

export OMIGA_NAMESPACES=$prefix OMIGA_NAMESPACES_HOST=10.83.0.1
if tc -n "$plant" qdisc add dev lo root netem delay 1ms 2>/dev/null; then
    tc -n "$plant" qdisc delete dev lo root
    export OMIGA_NETEM=1
else
    echo "this kernel has no netem: relays spoil the links"
fi
# Outside of the namespace, which has no way to a registry.
read -ra node <scripts/node.txt
cargo test "${node[@]}" --test suite --no-run
ip netns exec "$plant" cargo test --offline "${node[@]}" --test suite namespaces
