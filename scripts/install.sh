#!/usr/bin/env bash
# Build the C library and install it: headers, shared and static library, pkg-config and CMake files. All of it is put in
# place at the end, or nothing.
#
#   PREFIX   where it will be used from                                   (default /usr/local)
#   DESTDIR  put before it while installing, for packages                 (default none)
#   LIBDIR   where the libraries go, inside PREFIX                        (default PREFIX/lib)
#   FEATURES cargo features, e.g. onnxruntime                             (default none)
#   TARGET   for which machine, by Rust's name, e.g. aarch64-unknown-linux-gnu or i686-unknown-linux-gnu; needs
#            `rustup target add TARGET` and a C cross compiler, e.g. Debian's gcc-aarch64-linux-gnu (default: this one)
#   CROSS_COMPILE what the names of its compiler and its strip begin with (default from TARGET, e.g. aarch64-linux-gnu-)
#   STRIP    the program that leaves out symbols                          (default CROSS_COMPILE and `strip`)
#   BUILT    a folder with libomiga_capi.so and libomiga_capi.a already built (default: they are built)
#
# The linker is cargo's: CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER, or cargo's configuration (default: CROSS_COMPILE
# and `gcc`).
set -euo pipefail

fail() {
    echo "install: $*" >&2
    exit 2
}

[[ $(uname -s) == Linux ]] || fail "only Linux is known here, not $(uname -s); copy what \`cargo build -p omiga-capi --profile capi\` makes"
PREFIX=${PREFIX:-/usr/local} DESTDIR=${DESTDIR:-} FEATURES=${FEATURES:-} TARGET=${TARGET:-}
LIBDIR=${LIBDIR:-$PREFIX/lib}
[[ $PREFIX == /* ]] || fail "PREFIX is \`$PREFIX\`, expected an absolute path"
[[ $LIBDIR == "${PREFIX%/}"/* ]] || fail "LIBDIR is \`$LIBDIR\`, expected a folder in PREFIX, \`$PREFIX\`"
# What no quotes protect in the files of pkg-config, CMake and make.
[[ $PREFIX$LIBDIR != *[\"\$\#\;\\\|\&]* && $PREFIX$LIBDIR != *$'\n'* ]] ||
    fail "PREFIX is \`$PREFIX\`, expected a path without \", \$, #, ;, |, & and \\"
[[ -z $TARGET || $TARGET == *-linux-gnu* ]] || fail "TARGET is \`$TARGET\`, expected one for Linux with glibc, e.g. aarch64-unknown-linux-gnu"
if [[ -n $TARGET && -z ${CROSS_COMPILE:-} && $TARGET != "$(uname -m)"-* ]]; then
    case ${TARGET%%-*} in
    armv* | thumbv*) CROSS_COMPILE=arm-${TARGET##*-unknown-}- ;;
    riscv64*) CROSS_COMPILE=riscv64-${TARGET##*-unknown-}- ;;
    *) CROSS_COMPILE=${TARGET/-unknown-/-}- ;;
    esac
fi
STRIP=${STRIP:-${CROSS_COMPILE:-}strip}
[[ -n $(command -v "$STRIP") ]] || fail "there is no \`$STRIP\`; install the binutils of \`${TARGET:-this machine}\` or set STRIP"
[[ -z ${BUILT:-} ]] || BUILT=$(realpath "$BUILT")
[[ -z $DESTDIR ]] || DESTDIR=$(realpath -m "$DESTDIR")
cd "$(dirname "$0")/.."

if [[ -z ${BUILT:-} ]]; then
    linker=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$TARGET")_LINKER
    if [[ -n ${CROSS_COMPILE:-} && -n $TARGET && -z ${!linker:-} && -n $(command -v "${CROSS_COMPILE}gcc") ]]; then
        export "$linker=${CROSS_COMPILE}gcc"
    fi
    # Without the Rust library, which the tests use, everything is optimised as one.
    cargo rustc --package omiga-capi --lib --profile capi --features "$FEATURES" --crate-type cdylib,staticlib ${TARGET:+--target "$TARGET"}
    BUILT=${CARGO_TARGET_DIR:-target}/${TARGET:+$TARGET/}capi
fi
for library in libomiga_capi.so libomiga_capi.a; do
    [[ -f $BUILT/$library ]] || fail "there is no \`$BUILT/$library\`; build it or leave BUILT unset"
done

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
abi=$(sed -n 's/^#define OMIGA_ABI_VERSION //p' crates/capi/include/omiga.h)
[[ -n $version && -n $abi ]] || fail "Cargo.toml has no version or omiga.h no OMIGA_ABI_VERSION; is this a whole checkout?"
# The fifth byte of an ELF file: 1 for 32 bits, 2 for 64.
case $(od -An -tu1 -j4 -N1 "$BUILT/libomiga_capi.so" | tr -d ' ') in
1) pointer=4 ;;
2) pointer=8 ;;
*) fail "\`$BUILT/libomiga_capi.so\` is no ELF file; build it for Linux" ;;
esac

# Everything is made here, and looked at, before the first file of the prefix changes.
stage=$(mktemp -d)
new=()
cleanup() {
    rm -rf "$stage"
    ((${#new[@]} == 0)) || rm -f -- "${new[@]}"
}
trap cleanup EXIT

inner=${LIBDIR#"${PREFIX%/}"/}
lib=$stage/$inner
install -d "$lib/pkgconfig" "$lib/cmake/omiga" "$stage/include"
install -m 644 crates/capi/include/omiga.h crates/capi/include/omiga.hpp "$stage/include"
install -m 755 "$BUILT/libomiga_capi.so" "$lib/libomiga.so.$version"
install -m 644 "$BUILT/libomiga_capi.a" "$lib/libomiga.a"
"$STRIP" --strip-unneeded "$lib/libomiga.so.$version" && "$STRIP" --strip-debug "$lib/libomiga.a" ||
    fail "\`$STRIP\` does not know these libraries; set TARGET, CROSS_COMPILE or STRIP to the machine that they are for"
ln -s "libomiga.so.$version" "$lib/libomiga.so.$abi"
ln -s "libomiga.so.$abi" "$lib/libomiga.so"

# pkg-config wants spaces escaped, and so does sed the backslash.
escaped() {
    sed 's/ /\\\\ /g' <<<"$1"
}
fill() {
    sed -e "s|@ESCAPED_PREFIX@|$(escaped "$PREFIX")|; s|@ESCAPED_LIBDIR@|$(escaped "$inner")|; s|@VERSION@|$version|; s|@ABI@|$abi|; s|@POINTER@|$pointer|" \
        -e "s|@FROM_HERE@|$(realpath -m --relative-to="$LIBDIR/cmake/omiga" "$PREFIX")|" \
        "crates/capi/package/$1.in" >"$2/$1"
}
fill omiga.pc "$lib/pkgconfig"
fill omiga-static.pc "$lib/pkgconfig"
fill omigaConfig.cmake "$lib/cmake/omiga"
fill omigaConfigVersion.cmake "$lib/cmake/omiga"

# Beside its place under another name first, so that what may fail fails before anything is replaced.
cd "$stage"
mapfile -d '' -t files < <(find . \( -type f -o -type l \) -print0)
for file in "${files[@]}"; do
    to=$DESTDIR$PREFIX/${file#./}
    [[ ! -d $to ]] || fail "\`$to\` is a folder, expected a file or nothing"
    install -d "$(dirname "$to")"
    new+=("$to.new.$$")
    cp -P "$file" "$to.new.$$"
done
for file in "${files[@]}"; do
    to=$DESTDIR$PREFIX/${file#./}
    mv -fT "$to.new.$$" "$to"
done
new=()

echo "install: libomiga $version in $DESTDIR$LIBDIR ($(stat -c %s "$DESTDIR$LIBDIR/libomiga.so.$version") bytes shared, $((pointer * 8)) bits)"
