#!/usr/bin/env bash
# Build the C library and install it: header, shared and static library, pkg-config and CMake files.
#
#   PREFIX   where it will be used from                                   (default /usr/local)
#   DESTDIR  put before it while installing, for packages                 (default none)
#   LIBDIR   where the libraries go                                       (default PREFIX/lib)
#   FEATURES cargo features, e.g. onnxruntime                             (default none)
#   BUILT    a folder with libomiga_capi.so and libomiga_capi.a already built (default: they are built)
set -euo pipefail

fail() {
    echo "install: $*" >&2
    exit 2
}

[[ $(uname -s) == Linux ]] || fail "only Linux is known here, not $(uname -s); copy what \`cargo build -p omiga-capi --profile capi\` makes"
PREFIX=${PREFIX:-/usr/local} DESTDIR=${DESTDIR:-} FEATURES=${FEATURES:-}
LIBDIR=${LIBDIR:-$PREFIX/lib} INCLUDEDIR=$PREFIX/include
[[ $PREFIX == /* && $LIBDIR == /* ]] || fail "PREFIX is \`$PREFIX\`, expected an absolute path"
[[ $PREFIX$LIBDIR != *[\|\&\\]* ]] || fail "PREFIX is \`$PREFIX\`, expected a path without |, & and \\"
[[ -z ${BUILT:-} ]] || BUILT=$(realpath "$BUILT")
[[ -z $DESTDIR ]] || DESTDIR=$(realpath -m "$DESTDIR")
cd "$(dirname "$0")/.."

if [[ -z ${BUILT:-} ]]; then
    # Without the Rust library, which the tests use, everything is optimised as one.
    cargo rustc --package omiga-capi --lib --profile capi --features "$FEATURES" --crate-type cdylib,staticlib
    BUILT=${CARGO_TARGET_DIR:-target}/capi
fi
for library in libomiga_capi.so libomiga_capi.a; do
    [[ -f $BUILT/$library ]] || fail "there is no \`$BUILT/$library\`; build it or leave BUILT unset"
done

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
abi=$(sed -n 's/^#define OMIGA_ABI_VERSION //p' crates/capi/include/omiga.h)
[[ -n $version && -n $abi ]] || fail "Cargo.toml has no version or omiga.h no OMIGA_ABI_VERSION; is this a whole checkout?"
# What `rustc --print native-static-libs` names for Linux.
private="-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc"
private_list=$(sed 's/^-l//; s/ -l/;/g' <<<"$private")

lib=$DESTDIR$LIBDIR include=$DESTDIR$INCLUDEDIR
install -d "$lib/pkgconfig" "$lib/cmake/omiga" "$include"
install -m 644 crates/capi/include/omiga.h "$include/omiga.h"
install -m 755 "$BUILT/libomiga_capi.so" "$lib/libomiga.so.$version"
install -m 644 "$BUILT/libomiga_capi.a" "$lib/libomiga.a"
strip --strip-unneeded "$lib/libomiga.so.$version"
strip --strip-debug "$lib/libomiga.a"
ln -sfn "libomiga.so.$version" "$lib/libomiga.so.$abi"
ln -sfn "libomiga.so.$abi" "$lib/libomiga.so"

fill() {
    sed -e "s|@PREFIX@|$PREFIX|; s|@LIBDIR@|$LIBDIR|; s|@INCLUDEDIR@|$INCLUDEDIR|; s|@VERSION@|$version|; s|@ABI@|$abi|" \
        -e "s|@PRIVATE@|$private|; s|@PRIVATE_LIST@|$private_list|" \
        -e "s|@INCLUDE_FROM_HERE@|$(realpath -m --relative-to="$LIBDIR/cmake/omiga" "$INCLUDEDIR")|" \
        "crates/capi/package/$1.in" >"$2/$1"
}
fill omiga.pc "$lib/pkgconfig"
fill omigaConfig.cmake "$lib/cmake/omiga"
fill omigaConfigVersion.cmake "$lib/cmake/omiga"

echo "install: libomiga $version in $lib ($(stat -c %s "$lib/libomiga.so.$version") bytes shared)"
