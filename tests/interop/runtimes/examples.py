"""The programs of docs/runtimes.md, taken from the page and run where their runtime is installed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/runtimes.md"
ENDINGS = {"python": "py", "js": "mjs", "cpp": "cpp"}


def block_of(heading: str) -> tuple[str, str]:
    """Language and text of the first program under a heading of the page."""
    section = PAGE.read_text().split(f"\n### {heading}\n")[1].split("\n### ")[0]
    language, text = re.search(r"```(python|js|cpp)\n(.*?)```", section, re.DOTALL).groups()
    return language, text


def run(heading: str, folder: Path, python: Path) -> str | None:
    """Run it in the folder of this project; what went wrong, or what is missing, if anything."""
    language, text = block_of(heading)
    source = folder / f"example.{ENDINGS[language]}"
    source.write_text(text)
    if language == "cpp":
        return run_cpp(source, folder / "example")
    return call([python if language == "python" else "node", source])


def run_cpp(source: Path, program: Path) -> str | None:
    """With the headers of a release of ONNX Runtime, which no registry has, and the library that `make setup` fetched."""
    headers, library = os.environ.get("ORT_INCLUDE"), Path(os.environ["ORT_DYLIB_PATH"])
    if not headers or not library.exists():
        return "not compiled: ORT_INCLUDE names no folder with onnxruntime_cxx_api.h"
    # By the name that the library gives itself.
    linked = program.parent / "libonnxruntime.so.1"
    shutil.copy(library, linked)
    words = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-isystem", headers, source, "-o", program, linked]
    return call(["c++", *words, f"-Wl,-rpath,{linked.parent}"]) or call([program])


def call(command: list) -> str | None:
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True)
    print("  " + "\n  ".join((done.stdout + done.stderr).strip().splitlines()[-4:]), flush=True)
    return f"example ended with {done.returncode}" if done.returncode else None
