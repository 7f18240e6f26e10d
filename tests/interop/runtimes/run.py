"""Every runtime of `runtimes.toml`, each in an environment of its own, and the table of what they do with our policies.

One that does not install is said to be so, and the rest goes on. Standard library alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import table

HERE = Path(__file__).resolve().parent
NO_VERSION = "not installed"


class Failed(Exception):
    """A step that ended with something else than 0: what it said last."""


def call(command: list, **settings) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **settings)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise Failed(f"{command[0]} ended with {done.returncode}: {' '.join(lines[-3:])[-300:]}")
    return done.stdout


def environment(folder: Path, runtime: dict) -> Path:
    """Python with the runtime's packages."""
    wanted = f"python{runtime['python']}" if "python" in runtime else sys.executable
    if not shutil.which(wanted):
        raise Failed(f"no {wanted} here")
    call([wanted, "-m", "venv", "--without-pip", folder / "venv"])
    python = folder / "venv/bin/python"
    install = ["-m", "pip", "--python", python, "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    call([sys.executable, *install, *runtime["packages"]])
    return python


def other_process(folder: Path, runtime: dict) -> tuple[dict, dict]:
    """Options and environment variables of a runtime that is a program: of Node.js, or built with cargo."""
    if "npm" in runtime:
        call(["npm", "install", "--silent", "--no-save", "--ignore-scripts", "--prefix", folder, *runtime["npm"]])
        package = runtime["npm"][0].split("@")[0]
        return {"command": ["node", str(HERE / "node/run.mjs"), package]}, {"NODE_PATH": str(folder / "node_modules")}
    if "crate" in runtime:
        built, manifest = folder.parent / "rust", HERE / "rust/Cargo.toml"
        command = ["cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir", built]
        call([*command, "--features", runtime["crate"]], env=os.environ | {"PROTOC": str(protoc(folder))})
        program = shutil.copy(built / "release/omiga-foreign", folder / "omiga-foreign")
        return {"command": [str(program)]}, {}
    return {}, {}


def protoc(folder: Path) -> Path:
    """A compiler of protocol buffers, which candle-onnx is built with: PyPI's, if the runtime asks for that."""
    program = folder / "protoc"
    program.write_text(f'#!/bin/sh\nexec "{folder}/venv/bin/python" -m grpc_tools.protoc "$@"\n')
    program.chmod(0o755)
    return program


def version_of(runtime: dict) -> str:
    if "crate" in runtime:
        lock = tomllib.loads((HERE / "rust/Cargo.lock").read_text())
        return next(package["version"] for package in lock["package"] if package["name"] == runtime["crate"])
    return (runtime.get("npm") or runtime["packages"])[0].replace("==", "@").split("@")[-1]


def measure(runtime: dict, cases: Path, work: Path, keep: bool) -> dict:
    folder = work / runtime["name"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    out = folder / "found.json"
    found = {"label": runtime["label"], "version": version_of(runtime), "policies": {}, "failure": None}
    try:
        python = environment(folder, runtime)
        options, variables = other_process(folder, runtime)
        options |= runtime.get("options", {})
        command = [python, HERE / "measure.py", "--adapter", runtime["adapter"], "--options", json.dumps(options)]
        command += ["--cases", cases, "--out", out]
        found["installed"] = True
        with (folder / "log.txt").open("w") as log:
            code = subprocess.run(
                [str(word) for word in command], stdout=log, stderr=subprocess.STDOUT, env=os.environ | variables, timeout=3600
            ).returncode
        if code:
            found["failure"] = f"ended with {code}: {(folder / 'log.txt').read_text().strip().splitlines()[-1][-200:]}"
    except Failed as failure:
        found |= {"installed": False, "failure": str(failure)}
    except subprocess.TimeoutExpired:
        found["failure"] = "took more than an hour"
    if out.exists():
        found["policies"] = json.loads(out.read_text())
    if not keep:
        for made in ("venv", "node_modules", "omiga-foreign"):
            path = folder / made
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, required=True, help="folder that cases.py wrote")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[], help="names of runtimes; all by default")
    parser.add_argument("--keep", action="store_true", help="keep the environments")
    parser.add_argument("--page", type=Path, help="write the table into this page")
    arguments = parser.parse_args()
    runtimes = tomllib.loads((HERE / "runtimes.toml").read_text())["runtime"]
    unknown = set(arguments.only) - {runtime["name"] for runtime in runtimes}
    if unknown:
        sys.exit(f"no runtimes called {sorted(unknown)}")
    arguments.work.mkdir(parents=True, exist_ok=True)
    results = arguments.work / "results.json"
    found = json.loads(results.read_text()) if results.exists() else {}
    for runtime in runtimes:
        if not arguments.only or runtime["name"] in arguments.only:
            print(f"== {runtime['label']}", flush=True)
            found[runtime["name"]] = measure(runtime, arguments.cases, arguments.work, arguments.keep)
            results.write_text(json.dumps(found, indent=1))
            print(table.row(found[runtime["name"]]), flush=True)
    ordered = [found[runtime["name"]] for runtime in runtimes if runtime["name"] in found]
    if arguments.page:
        table.write(arguments.page, ordered)
    broken = table.broken(runtimes, {name: found[name] for name in found if not arguments.only or name in arguments.only})
    if broken:
        sys.exit("\n".join(broken))


if __name__ == "__main__":
    main()
