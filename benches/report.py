"""Writes what a benchmark measured into docs/benchmarks.md: one section a benchmark, the others stay as they are.

Takes the numbers from `target/bench/*.json` and the facts from the machine it runs on, so it belongs right after the
measurement, on the same machine; the scripts call it themselves. Without a section it only adds those that are missing.
Standard library only; the versions of Python packages are those of the Python that runs it.

    python3 benches/report.py [train-cpu | train-cuda | load | runtime | env | battles | flows | collect | node | python | sweep]
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benches" / "opponents"))
import whole_files  # noqa: E402
from targets import REBRAC, TARGETS, verdict  # noqa: E402

HEAD = """# Benchmarks

Made by [benches/report.py](../benches/report.py) after each benchmark, with the machine that it ran on; a section is
rewritten only when its benchmark has run in full. A speed claim is a ratio within one run: times of different machines
or days are not to be compared.
"""


@dataclass(frozen=True)
class Section:
    """One benchmark's part of the page."""

    title: str
    about: str
    commands: str
    json: str
    lines: Callable[[object, Path], list[str]]


def read(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        sys.exit(f"report: {path} is not there; run the benchmark first")
    except ValueError as error:
        sys.exit(f"report: {path} is no JSON: {error}")


def table(head: list[str], rows: list[list[str]], left: int) -> list[str]:
    """Markdown; all columns after the first `left` are aligned to the right."""
    rule = ["---" if k < left else "---:" for k in range(len(head))]
    clean = [[cell.replace("|", "/").replace("\n", " ") for cell in row] for row in [head, rule, *rows]]
    return ["| " + " | ".join(row) + " |" for row in clean]


def number(x: float) -> str:
    """Three digits or a little more, and the whole of a large number."""
    if abs(x) < 1:
        return f"{x:.3g}"
    return f"{x:.2f}" if abs(x) < 100 else f"{x:.1f}" if abs(x) < 1000 else f"{x:,.0f}"


def train_lines(rows: object, path: Path) -> list[str]:
    """A line a task and number of threads."""
    groups: dict[tuple, dict] = {}
    for row in rows:
        groups.setdefault((row["task"], row["threads"]), {})[row["impl"]] = row
    device = rows[0]["device"]
    targets = TARGETS[device.partition(":")[0]]
    impls = [impl for impl in dict.fromkeys(row["impl"] for row in rows) if impl != "ours"]
    floors = all(row["floor_ms"] is not None for row in rows)
    judged = [impl for impl in impls if impl in targets or impl == "rebrac"]
    bounds = {impl: f"at least {least:g}x {impl}" for impl, least in targets.items()} | {"rebrac": f"rebrac at most {REBRAC:g}x"}
    head = ["shapes", "threads", *(["floor", "ours", "ours / floor"] if floors else ["ours", "updates/s"])]
    head += [*impls, *(bounds[impl] for impl in judged)]
    lines = []
    for (task, threads), of in groups.items():
        if "ours" not in of:
            sys.exit(f"report: {path} has no time of ours for {task} with {threads} threads; run the benchmark in full")
        ours, floor = of["ours"]["ms_per_update"], of["ours"]["floor_ms"]
        cells = [task, str(threads), *([number(floor)] if floors else []), f"**{number(ours)}**"]
        cells.append(f"{ours / floor:.2f}" if floors else f"{1e3 / ours:,.0f}")
        times = {impl: of[impl]["ms_per_update"] for impl in impls if impl in of}
        cells += [f"{number(times[impl])} ({times[impl] / ours:.2f}x)" if impl in times else "" for impl in impls]
        cells += [verdict(of[impl], ours) or "" if impl in of else "" for impl in judged]
        lines.append(cells)
    found = peak_line(path.with_name("peak.json")) if floors else []
    return [*found, *table(head, lines, 1)]


def peak_line(path: Path) -> list[str]:
    if not path.exists():
        return []
    one, *more = read(path)["gflops"]
    together = "".join(f", of {n} at once {x:.0f} ({x / one:.2f} times as much)" for n, x in enumerate(more, start=2))
    return [f"f32 peak measured in the same run: of a core {one:.0f} GFLOP/s{together}.", ""]


def rates_of(rows: list[dict]) -> tuple[dict[str, dict], int]:
    """Steps per second of each task by program and threads; and the most threads."""
    tasks: dict[str, dict] = {}
    rows = [row for row in rows if "steps_per_s" in row]
    for row in rows:
        tasks.setdefault(row["task"], {})[row["impl"], row["threads"]] = row["steps_per_s"]
    return tasks, max((row["threads"] for row in rows), default=1)


def battle_lines(rows: object, path: Path) -> list[str]:
    """A line a map: ours on one core and on all, jaxmarl with 1, 64 and 1024 environments on one."""
    tasks, most = rates_of([row for row in rows if row["task"].startswith("smax-")])
    theirs = [f"jaxmarl-{envs}" for envs in (1, 64, 1024)]
    head = ["task", "omiga", f"omiga, {most} cores", *theirs, "omiga / jaxmarl's best", "omiga / jaxmarl-1", f"{most} cores / one"]
    lines = []
    for task, rates in tasks.items():
        one, all_cores = rates["omiga", 1], rates["omiga", most]
        others = [rates[impl, 1] for impl in theirs]
        ratios = (one / max(others), one / others[0], all_cores / one)
        lines.append([task, *(number(x) for x in (one, all_cores, *others)), *(f"{x:.2f}" for x in ratios)])
    runs = []
    for impl in ("omiga", *theirs):
        of_impl = [row for row in rows if row["impl"] == impl]
        rounds, steps = (" to ".join(f"{n:,}" for n in sorted({row[key] for row in of_impl})) for key in ("rounds", "steps"))
        runs.append(f"{impl} {rounds} of {steps}")
    return [f"Rounds, and steps of each: {', '.join(runs)}.", "", "Steps per second of the processor.", "", *table(head, lines, 1)]


def env_lines(rows: object, path: Path) -> list[str]:
    """A line a task: ours on one core and on all, gymnasium and the simulator alone on one."""
    tasks, most = rates_of([row for row in rows if not row["task"].startswith("smax-")])
    head = ["task", "ours", f"ours, {most} cores", "gymnasium", "simulator alone", "ours / gymnasium",
            "ours / simulator", "simulator / gymnasium", f"{most} cores / one"]
    lines = []
    for task, rates in tasks.items():
        one, all_cores, theirs, floor = (rates[key] for key in
                                         (("ours", 1), ("ours", most), ("gymnasium", 1), ("simulator", 1)))
        ratios = (one / theirs, one / floor, floor / theirs, all_cores / one)
        lines.append([task, *(number(x) for x in (one, all_cores, theirs, floor)), *(f"{x:.2f}" for x in ratios)])
    return ["Steps per second.", "", *table(head, lines, 1)]


def flow_lines(rows: object, path: Path) -> list[str]:
    """A line a solver, with the best of ours against it."""
    rows = [row for row in rows if "flows_per_s" in row]
    best = max(row["flows_per_s"] for row in rows if row["impl"] == "ours")
    lines = [[row["impl"], row["how"], number(row["flows_per_s"]), f"{best / row['flows_per_s']:.1f}"] for row in rows]
    return ["Power flows per second.", "", *table(["solver", "how", "one core", "ours, batched / this"], lines, 2)]


RUNTIME = {"case": "case", "engine": "engine", "mean_us": "mean", "p50_us": "p50", "p99_us": "p99", "p999_us": "p99.9",
           "max_us": "max", "machine_p999_us": "machine's p99.9", "allocs_per_step": "allocations",
           "load_ms": "load ms", "library_bytes": "library MB"}


def runtime_lines(data: object, path: Path) -> list[str]:
    """A line a case and engine, with the median against the native engine's."""
    native = {row["case"]: row["p50_us"] for row in data["rows"] if row["engine"] == "native"}
    lines = []
    for row in data["rows"]:
        cells = [cell(key, row.get(key)) for key in RUNTIME]
        base = native.get(row["case"])
        lines.append([*cells, f"{row['p50_us'] / base:.2f}" if base else ""])
    return [f"{data['steps']:,} steps, timed one by one.", "", *table([*RUNTIME.values(), "p50 / native"], lines, 2)]


def cell(key: str, x: object) -> str:
    if x is None:
        return ""
    if isinstance(x, bool):
        return "yes" if x else "no"
    if isinstance(x, int | float):
        if key.endswith("_bytes"):
            return number(x / 1e6)
        return f"{x:,}" if isinstance(x, int) else number(x)
    return x if isinstance(x, str) else json.dumps(x)


def heading(key: str) -> str:
    return (key.removesuffix("_bytes") + " MB" if key.endswith("_bytes") else key).replace("_", " ")


def plain_lines(data: object, path: Path) -> list[str]:
    """Any list of rows as a table; single values beside `rows` as a list above it."""
    rows = data if isinstance(data, list) else data["rows"]
    single = {} if isinstance(data, list) else {key: x for key, x in data.items() if key != "rows"}
    keys = list(dict.fromkeys(key for row in rows for key in row))
    left = next((k for k, key in enumerate(keys) if not isinstance(rows[0].get(key), str)), len(keys))
    lines = [f"- {heading(key)}: {cell(key, x)}" for key, x in single.items()]
    body = table([heading(key) for key in keys], [[cell(key, row.get(key)) for key in keys] for row in rows], left)
    return [*lines, *([""] if lines else []), *body]


def node_lines(data: dict, path: Path) -> list[str]:
    """A line a distribution, then what was counted."""
    columns = ("p50", "p99", "p999", "max")
    cell = lambda x: "" if x is None else number(x)
    whole = lambda name, of: [name, *(cell(of.get(column)) for column in columns)]
    nodes = lambda name, of, which: [f"{name}, {which} node", *(cell(of.get(column, {}).get(which)) for column in columns)]
    rows = [whole("echo of zenoh alone, there and back", data["echo_us"]), whole("command to the plant", data["command_us"])]
    for name, key in (("sample to the loop", "sample_us"), ("lateness of ticks", "lateness_us"), ("work of a tick", "work_us")):
        rows += [nodes(name, data[key], which) for which in ("median", "worst")]
    rows.append(whole("lateness of the scheduler", data["scheduler_lateness_us"]))
    ratio, ticks = data["latency_ratio"], data["ticks"]
    return [f"{data['nodes']} nodes, {data['echoes']} echoes, {data['hz']:g} Hz, {data['seconds']:g} s.", "",
            *table(["microseconds", *columns], rows, 1), "",
            f"Sample and command together are {ratio['p50']:.2f} times an echo (p50; p99: {ratio['p99']:.2f}). Of {ticks:,} ticks "
            f"{data['ticks_of_policy']:,} were the policy's; {data['skipped_periods']} periods were skipped, {data['lost']} samples "
            f"lost, {data['unsent']} commands not taken."]


def python_lines(rows: object, path: Path) -> list[str]:
    """A line a policy or team, with onnxruntime's two ways against ours."""
    head = ["step", "omiga", "`run`", "bound", "`run` / omiga", "bound / omiga"]
    keys = ["omiga us", "onnxruntime us", "bound us", "onnxruntime / omiga", "bound / omiga"]
    lines = [[row["step"], *(number(row[key]) for key in keys)] for row in rows]
    return ["Microseconds of the processor.", "", *table(head, lines, 1)]


SECTIONS = {
    "train-cpu": Section(
        "Training on the CPU",
        """`omiga train` and the same OMIGA update in PyTorch (eager, and with losses and gradients through
`torch.compile`) and in JAX (the whole loop in one `jit(lax.scan)`), all checked against the official
implementation's numbers, see [benches/opponents](../benches/opponents). Batch 128, hidden 256, f32, random data
in the shapes of the tasks; sampling, clipping, Adam and targets included. Milliseconds per update, medians of
several rounds in turns; in brackets how many times ours. `rebrac` is an update of our other algorithm on the same
batch and width. The floor is the time that the update's matrix products need at the measured f32 peak of as many
cores: no program that does them in full can be faster. Ours leaves out the zeros behind a ReLU. Where an opponent
needs less than four times the floor, nobody who does them in full can be four times as fast as it.""",
        "make bench-train", "train.json", train_lines),
    "train-cuda": Section(
        "Training on a GPU",
        """The same on one NVIDIA GPU. Milliseconds per update; in brackets how many times ours; the device is waited
for before the clock stops. `threads` bounds the CPUs that feed the GPU. The opponents are checked on the GPU first.""",
        "make cuda\nmake bench-train DEVICE=cuda:0", "train-cuda.json", train_lines),
    "env": Section(
        "Steps of an environment",
        """Multi-agent MuJoCo and gymnasium's own loop in Python, the same library and models, random actions made beforehand,
resets included; processes bound to as many CPUs as threads, in turns, medians. `simulator alone` calls `mj_step` and nothing
else: no environment on this library can be faster.""",
        "make bench-env", "env.json", env_lines),
    "battles": Section(
        "Steps of a battle",
        """`smax-...` and the original, `jaxmarl`, on its own: one jitted environment stepped from Python, and 64 and 1024 environments
by `vmap` inside `lax.scan`, its best case; a step is one of one environment for all its agents. Random legal actions drawn within
the time, observations, state and masks made, resets included; single precision on both sides. Processes bound to as many CPUs as
threads, in turns, medians; seconds are those of the processor, of threads those of the longest.""",
        'make bench-env BENCH=battles', "env.json", battle_lines),
    "flows": Section(
        "Power flows of a feeder",
        """960 cases of the 33 buses, the same for all, whose losses must agree; seconds of the processor, medians, in turns. Ours to
1e-12 p.u., from a flat start, alone and eight side by side; the others to 1e-8, updates of the loads included.""",
        "make bench-env BENCH=flows", "env.json", flow_lines),
    "collect": Section(
        "Recording a dataset",
        """`omiga collect --task halfcheetah-6x1 --quality medium --episodes 1000`, policies and the written file included, medians.
A million transitions are 409 MB of observations in memory; the file, compressed, holds them as `o` and as `s`.""",
        "make bench-env", "collect.json", plain_lines),
    "load": Section(
        "Loading a dataset",
        """Time and peak memory of loading, against h5py with the copies that the official loader makes, and of a vault of five agents
(18 observations, 2 commands, a state of 30; random numbers) against flashbax, until all rows were read and checked. Of tables
(five agents, 8 observations and 2 commands each) `omiga` is a dataset in memory, read by a map and checked, as `omiga train --map`
makes it; pandas' default reader and pyarrow make arrays. `omiga-import` writes the dataset to a file, and `+h5py` the arrays, deflated
as ours. `seconds` is by the clock, `cpu seconds` what all cores worked for it. What the times consist of is in
[performance.md](performance.md#reading-data).""",
        "make bench-load", "load.json", plain_lines),
    "node": Section(
        "Nodes on a network",
        """Nodes of `models/spread`, each a process, at 100 Hz on this machine, over TCP through one router in the plant's process. Each
gets an observation and commands once a period. A sample's way ends where the loop can take it, a command's begins with the tick;
between them is a part of a period. Echoes are processes of zenoh alone in the same run, as many bytes and the same quality of
service: they put what they get. `scheduler` is a thread that does nothing but wake up each period. Microseconds; of the nodes'
own figures the one in the middle and the worst.""",
        "make bench-node", "node.json", node_lines),
    "sweep": Section(
        "A training in a sweep",
        """OMIGA on `spread`, one thread: `omiga train`, `omiga sweep` of that one run, and the task that Slurm starts, in turns; all
make the same weights. Seconds are medians; `more` and `ratio` compare with the same round's `omiga train`: the median, in brackets
its 95 % interval. `cpu` is the time of the processor, the user's and the system's. What a sweep adds does not grow with the
training: the short one shows it best.""",
        "make bench-sweep", "sweep.json", plain_lines),
    "runtime": Section(
        "A policy's step",
        """The same files in several engines, in turns, in one run; two hidden layers of 256, batch 1, one thread.
Observations of 14, 23 and 113 values are those of Hopper, HalfCheetah and Ant in the original datasets, the
agent's id included. Microseconds. `machine's p99.9` is
that of pure arithmetic which takes as long as the step: the tail that the machine has by itself. `all-active`
is the longest that a step can take, `controller` a whole tick with its guard, `novelty` with a detector of
unusual observations, `loaded` has threads that stream
through memory beside it. A team observes the same, `apart` each something else; `f16` holds weights in 16 bits.
Allocations are those of Rust's allocator, library is the size on disk of the library
that a program needs for it.""",
        "make bench-runtime", "runtime.json", runtime_lines),
    "python": Section(
        "A policy's step through Python",
        """The package `omiga` and onnxruntime's Python sessions on the same files: the shipped bundles, batch 1, one thread, random
observations, numpy arrays in and out. `run` is `InferenceSession.run`, `bound` is `run_with_iobinding` with buffers that were bound
once. A team is one call of ours and a session an agent of theirs. Medians of rounds in turns; actions are compared first.""",
        "make bench-python", "python.json", python_lines),
}

PACKAGES = {"train-cpu": ("torch", "jax", "jaxlib"), "train-cuda": ("torch", "jax", "jaxlib", "jax-cuda13-plugin"),
            "env": ("mujoco", "gymnasium", "numpy"), "battles": ("jaxmarl", "jax", "jaxlib", "numpy"),
            "flows": ("pandapower", "lightsim2grid", "power-grid-model", "numpy"),
            "collect": (), "load": ("h5py", "numpy"), "python": ("onnxruntime", "numpy")}


def output(*command: str) -> str | None:
    """The first line that a program prints, if there is such a program."""
    try:
        found = subprocess.run(command, text=True, capture_output=True, cwd=ROOT, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.splitlines()[0] if found else None


def field(path: str, pattern: str) -> str | None:
    """The first group of the first match in a file that may not be there."""
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return None
    return found.group(1).strip() if found else None


def caches() -> str | None:
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return "caches " + ", ".join(found) if found else None


def machine(section: str) -> str:
    """Processor, caches, memory, system, and for a GPU its name and driver."""
    flags = (field("/proc/cpuinfo", r"^flags\s*:(.*)$") or "").split()
    vectors = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), None)
    name = field("/proc/cpuinfo", r"^model name\s*:(.*)$") or output("sysctl", "-n", "machdep.cpu.brand_string")
    model = [field("/proc/cpuinfo", rf"^{key}\s*:(.*)$") for key in ("cpu family", "model")]
    if name and all(model):
        name += f" (family {model[0]}, model {model[1]})"
    memory = field("/proc/meminfo", r"^MemTotal:\s*(\d+) kB")
    system = field("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')
    gpu = None
    if section == "train-cuda":
        gpu = output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader") or "GPU unknown"
    cpus = f"{os.cpu_count()} CPUs"
    kernel = ".".join(platform.release().split(".")[:2])
    facts = [gpu, name or platform.machine(), cpus, vectors, caches(),
             f"{int(memory) / 2**20:.0f} GiB of memory" if memory else None,
             system, f"{platform.system()} {kernel} {platform.machine()}"]
    return ", ".join(filter(None, facts))


def versions(section: str) -> str:
    """Of the compiler and of those packages that are installed."""
    found = [output("rustc", "--version"), f"Python {platform.python_version()}"]
    for package in PACKAGES.get(section, ()):
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} unknown")
    return ", ".join(filter(None, found))


def measured(name: str, path: Path, command: str | None, note: str | None) -> list[str]:
    section = SECTIONS[name]
    data = read(path)
    try:
        lines = section.lines(data, path)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        sys.exit(f"report: {path} has not the rows of `{name}` ({why}); run the benchmark again")
    day = datetime.date.fromtimestamp(path.stat().st_mtime)
    return [f"Measured on {day} with:", "", "```sh", command or section.commands, "```", "",
            f"Machine: {machine(name)}.", "", f"Versions: {versions(name)}.", "", *([note, ""] if note else []), *lines]


def not_measured(name: str) -> list[str]:
    return ["Not measured yet. To measure:", "", "```sh", SECTIONS[name].commands, "```"]


def block(name: str, body: list[str]) -> str:
    section = SECTIONS[name]
    lines = [f"<!-- begin {name} -->", f"## {section.title}", "", section.about, "", *body, f"<!-- end {name} -->"]
    return "\n".join(lines)


def page(old: str | None, name: str | None, body: list[str] | None) -> str:
    """The page with this section's body; missing sections are added at the end, unmeasured."""
    text = HEAD if old is None else old
    for other in SECTIONS:
        pattern = re.compile(rf"<!-- begin {other} -->\n.*?<!-- end {other} -->", re.DOTALL)
        marks = len(re.findall(rf"^<!-- (?:begin|end) {other} -->$", text, re.MULTILINE))
        if marks not in (0, 2) or (marks == 2) != bool(pattern.search(text)):
            sys.exit(f"report: the marks of section `{other}` are not one begin and one end; mend or remove them")
        if marks == 0:
            text = text.rstrip("\n") + "\n\n" + block(other, not_measured(other)) + "\n"
        if other == name:
            new = block(other, body or [])
            text = pattern.sub(lambda _, new=new: new, text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", nargs="?", choices=SECTIONS)
    parser.add_argument("--json", type=Path, help="default: the section's file in target/bench")
    parser.add_argument("--command", help="what was run, if not the section's own command")
    parser.add_argument("--note", help="what else has to be known about this measurement")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    args = parser.parse_args()
    body = None
    if args.section:
        path = args.json or ROOT / "target" / "bench" / SECTIONS[args.section].json
        body = measured(args.section, path, args.command, args.note)
    old = args.page.read_text() if args.page.exists() else None
    text = page(old, args.section, body)
    whole_files.write(args.page, text)
    print(f"report: {args.page}")


if __name__ == "__main__":
    main()
