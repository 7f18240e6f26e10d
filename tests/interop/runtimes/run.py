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

import examples
import table

HERE = Path(__file__).resolve().parent


class Failed(Exception):
    """A step that ended with something else than 0: what it said last."""


def call(command: list, **settings) -> str:
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **settings)
    except FileNotFoundError:
        raise Failed(f"there is no {command[0]} here") from None
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise Failed(f"{command[0]} ended with {done.returncode}: {' '.join(lines[-3:])[-300:]}")
    return done.stdout


def environment(folder: Path, runtime: dict) -> Path:
    """Python with the runtime's packages."""
    wanted = f"python{runtime['python']}" if "python" in runtime else sys.executable
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


def try_policy(command: list, policy: Path, folder: Path, variables: dict) -> dict:
    """What `measure.py` finds; a form that ends its process is left out the next time."""
    out, without = folder / "found.json", []
    while True:
        out.unlink(missing_ok=True)
        words = [*command, "--policy", policy, "--out", out, "--without", *without]
        with (folder / "log.txt").open("a") as log:
            code = subprocess.run(
                [str(word) for word in words], stdout=log, stderr=log, env=os.environ | variables, timeout=1800
            ).returncode
        found = json.loads(out.read_text()) if out.exists() else {}
        if "loads" in found:
            return found
        if "trying" not in found:
            raise Failed(f"measure.py ended with {code}: {(folder / 'log.txt').read_text().strip()[-200:]}")
        without.append(found["trying"])


def measure(runtime: dict, cases: Path, work: Path, keep: bool) -> dict:
    folder = work / runtime["name"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = {"label": runtime["label"], "version": version_of(runtime), "installed": False, "policies": {}, "failure": None}
    try:
        python = environment(folder, runtime)
        options, variables = other_process(folder, runtime)
        found["installed"] = True
        options |= runtime.get("options", {})
        command = [python, HERE / "measure.py", "--adapter", runtime["adapter"], "--options", json.dumps(options)]
        for policy in sorted(path for path in cases.iterdir() if path.is_dir()):
            found["policies"][policy.name] = try_policy(command, policy, folder, variables)
        found["examples"] = [text for heading in runtime.get("examples", []) if (text := examples.run(heading, folder, python))]
    except Failed as failure:
        found["failure"] = str(failure)
    except subprocess.TimeoutExpired:
        found["failure"] = "took more than half an hour"
    if not keep:
        for made in ("venv", "node_modules"):
            shutil.rmtree(folder / made, ignore_errors=True)
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
