"""Files out of wheels into a folder, which is complete or not there: `--check` says whether it is.

    python take.py --wheels WHEELS WANTED FOLDER 'mujoco/lib*.so.*=lib/libmujoco.so' 'mujoco/include/*.h=include/'

A pattern takes one file if its place is a name, and all that fit if it ends with a slash. One that fits nothing is an error.
"""

import argparse
import fnmatch
import os
import shutil
import sys
import zipfile
from pathlib import Path

STAMP = "installed.txt"


def take(wheels: Path, places: list[str], out: Path) -> None:
    archives = [zipfile.ZipFile(wheel) for wheel in sorted(wheels.glob("*.whl"))]
    for pattern, place in (p.split("=") for p in places):
        fits = lambda name: fnmatch.fnmatchcase(name, pattern) and name.count("/") == pattern.count("/")  # noqa: E731
        found = [(archive, name) for archive in archives for name in archive.namelist() if fits(name)]
        if not found or (len(found) > 1 and not place.endswith("/")):
            sys.exit(f"take: {len(found)} files are called {pattern}")
        for archive, name in found:
            # Only under a name that the caller chose, or the last part of its own.
            to = out / place / Path(name).name if place.endswith("/") else out / place
            to.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, to.open("wb") as target:
                shutil.copyfileobj(source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("wanted", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("places", nargs="+")
    args = parser.parse_args()
    stamp = args.wanted.read_text() + "\n".join(args.places) + "\n"
    there = lambda: (args.folder / STAMP).is_file() and (args.folder / STAMP).read_text() == stamp  # noqa: E731
    if args.check:
        sys.exit(0 if there() else 1)
    out = args.wheels / "out"
    take(args.wheels, args.places, out)
    (out / STAMP).write_text(stamp)
    # Of two that fetch at the same time the first one counts.
    if not there():
        shutil.rmtree(args.folder, ignore_errors=True)
        try:
            os.rename(out, args.folder)
        except OSError:
            if not there():
                raise


if __name__ == "__main__":
    main()
