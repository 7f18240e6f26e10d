# Sourced, after `fail` is defined, by scripts that run Python with packages of PyPI; $name is what they call themselves.

command -v python3 >/dev/null || fail "python3 is missing; install Python 3.11 or later"

# environment FOLDER REQUIREMENTS: Python with these packages, made anew when they are others.
environment() {
    if ! cmp -s "$2" "$1/installed.txt"; then
        echo "$name: making $1"
        rm -rf "$1"
        python3 -m venv "$1" || fail "python3 has no venv; install it (on Debian: apt-get install python3-venv)"
        "$1/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: -r "$2"
        cp "$2" "$1/installed.txt"
    fi
}
