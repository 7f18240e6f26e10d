#!/usr/bin/env bash
# Fetch ONNX Runtime's shared library into .deps/onnxruntime. It is taken out of the wheel on PyPI; nothing is
# installed. Does nothing, quietly, when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly version=1.31.1
readonly deps=.deps folder=.deps/onnxruntime

fail() {
    echo "setup: $*" >&2
    exit 2
}

case "$(uname -s)" in
    Linux) library=libonnxruntime.so versioned=libonnxruntime.so.$version ;;
    Darwin) library=libonnxruntime.dylib versioned=libonnxruntime.$version.dylib ;;
    *) fail "no ONNX Runtime for $(uname -s) here; put its library into $folder yourself or set ORT_DYLIB_PATH" ;;
esac

[[ -s $folder/$library && $(cat "$folder/VERSION" 2>/dev/null) == "$version" ]] && exit 0

source scripts/pip.sh
mkdir -p "$deps"
temporary=$(mktemp -d "$deps/setup.XXXXXX")
trap 'rm -rf "$temporary"' EXIT

echo "setup: fetching ONNX Runtime $version"
download_wheels "$temporary" "onnxruntime==$version"

# Only the library leaves the wheel, under a name that this script chose.
python3 - "$temporary" "$versioned" "$library" "$version" <<'PYTHON' || fail "the wheel holds no onnxruntime/capi/$versioned"
import pathlib, shutil, sys, zipfile

temporary, (versioned, library, version) = pathlib.Path(sys.argv[1]), sys.argv[2:]
(wheel,) = temporary.glob("onnxruntime-*.whl")
folder = temporary / "onnxruntime"
folder.mkdir()
with zipfile.ZipFile(wheel) as archive:
    with archive.open(f"onnxruntime/capi/{versioned}") as source, (folder / library).open("wb") as target:
        shutil.copyfileobj(source, target)
(folder / "VERSION").write_text(version + "\n")
PYTHON

rm -rf "$folder"
mv "$temporary/onnxruntime" "$folder"
echo "setup: $folder/$library"
