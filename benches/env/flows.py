"""Power flows of the 33 buses per second on one core: ours, power-grid-model's, lightsim2grid's, pandapower's, in turns on the same cases.

Puts rows {task, impl, how, threads, flows_per_s}, medians of the rounds, into `--out` in place of what it says of power flows, after
checking that all find the same losses. Seconds are those of the processor, so that a busy machine changes ratios little.

    python flows.py --flows target/release/examples/flows --rounds 5
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
import pandapower  # noqa: E402
import pandapower.networks  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from whole_files import replace_rows  # noqa: E402

CASES, TASK = 960, "grid-33bus"
PLANTS = {12: 1.836, 17: 1.836, 21: 1.784, 24: 2.992, 28: 0.278, 32: 0.278}
TOLERANCE = 1e-8


def cases(net) -> tuple[np.ndarray, np.ndarray]:
    """What each bus consumes, [K, 33] in MW and Mvar: loads of 0.1 to 1.3 times the feeder's, sun and reactive power at will."""
    rng = np.random.default_rng(33)
    loads = net.load.set_index("bus")[["p_mw", "q_mvar"]].reindex(range(33)).fillna(0.0)
    p, q = (loads[name].to_numpy() * rng.uniform(0.1, 1.3, (CASES, 33)) for name in ("p_mw", "q_mvar"))
    for bus, peak in PLANTS.items():
        sun = peak * rng.uniform(0, 1, CASES)
        p[:, bus] -= sun
        q[:, bus] -= rng.uniform(-1, 1, CASES) * np.sqrt((1.2 * peak) ** 2 - sun**2)
    return p, q


def timed(run: Callable[[], np.ndarray], flows: int) -> tuple[float, float]:
    """Flows a second of the processor, and the mean loss in MW."""
    begin = time.process_time()
    losses = run()
    return flows / (time.process_time() - begin), float(np.mean(losses))


def with_pandapower(net, p: np.ndarray, q: np.ndarray) -> Callable[[], np.ndarray]:
    buses, few = net.load.bus.to_numpy(), 40

    def run() -> np.ndarray:
        losses = []
        for k in range(few):
            net.load["p_mw"], net.load["q_mvar"] = p[k, buses], q[k, buses]
            pandapower.runpp(net, tolerance_mva=TOLERANCE)
            losses.append(net.res_line.pl_mw.sum())
        return np.array(losses)

    return run


def with_lightsim2grid(net, p: np.ndarray, q: np.ndarray) -> Callable[[], np.ndarray]:
    from lightsim2grid.network import init_from_pandapower

    pandapower.runpp(net)
    # It says that it takes the external grid as the slack, which is what is wanted.
    with warnings.catch_warnings(action="ignore"):
        model = init_from_pandapower(net)
    buses = net.load.bus.to_numpy()
    flat, every = np.ones(33, dtype=complex), np.full(len(buses), True)

    def run() -> np.ndarray:
        for k in range(CASES):
            model.update_loads_p(every, p[k, buses].astype(np.float32))
            model.update_loads_q(every, q[k, buses].astype(np.float32))
            if len(model.ac_pf(flat.copy(), 20, TOLERANCE / net.sn_mva)) == 0:
                sys.exit("flows: lightsim2grid found no solution")
        return np.zeros(1)

    return run


def power_grid_model(net):
    import power_grid_model as pgm

    lines = net.line[net.line.in_service]
    node = pgm.initialize_array("input", "node", 33)
    node["id"], node["u_rated"] = np.arange(33), 12.66e3
    line = pgm.initialize_array("input", "line", len(lines))
    line["id"] = 100 + np.arange(len(lines))
    line["from_node"], line["to_node"] = lines.from_bus, lines.to_bus
    line["from_status"] = line["to_status"] = 1
    line["r1"], line["x1"] = lines.r_ohm_per_km * lines.length_km, lines.x_ohm_per_km * lines.length_km
    line["c1"] = line["tan1"] = 0.0
    source = pgm.initialize_array("input", "source", 1)
    source["id"], source["node"], source["status"], source["u_ref"], source["sk"] = 200, 0, 1, 1.0, 1e20
    load = pgm.initialize_array("input", "sym_load", 33)
    load["id"], load["node"], load["status"], load["type"] = 300 + np.arange(33), np.arange(33), 1, 0
    load["p_specified"] = load["q_specified"] = 0.0
    return pgm.PowerGridModel({"node": node, "line": line, "source": source, "sym_load": load}, system_frequency=50.0)


def with_power_grid_model(net, p: np.ndarray, q: np.ndarray, method: str) -> Callable[[], np.ndarray]:
    import power_grid_model as pgm

    model = power_grid_model(net)
    update = pgm.initialize_array("update", "sym_load", (CASES, 33))
    update["id"], update["status"] = 300 + np.arange(33), 1
    update["p_specified"], update["q_specified"] = 1e6 * p, 1e6 * q

    def run() -> np.ndarray:
        found = model.calculate_power_flow(
            update_data={"sym_load": update}, calculation_method=pgm.CalculationMethod[method], threading=-1,
            error_tolerance=1e-8, max_iterations=100, output_component_types=["node", "line"])
        return (found["line"]["p_from"] + found["line"]["p_to"]).sum(axis=1) / 1e6

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flows", type=Path, required=True, help="the example `flows`, a release build")
    parser.add_argument("--out", type=Path, default=Path("target/bench/env.json"))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    net = pandapower.networks.case33bw()
    p, q = cases(net)
    for bus in range(33):
        if bus not in set(net.load.bus):
            pandapower.create_load(net, bus, 0.0, 0.0)
    others = {
        ("pandapower", "runpp"): (with_pandapower(net, p, q), 40),
        ("lightsim2grid", "Newton"): (with_lightsim2grid(net, p, q), CASES),
        ("power-grid-model", "batch, Newton"): (with_power_grid_model(net, p, q, "newton_raphson"), CASES),
        ("power-grid-model", "batch, iterative current"): (with_power_grid_model(net, p, q, "iterative_current"), CASES),
    }
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.NamedTemporaryFile(suffix=".f64") as file:
        file.write(np.stack([p, q], axis=1).tobytes())
        file.flush()
        for _ in range(args.rounds):
            text = subprocess.run([args.flows, file.name, "100"], check=True, capture_output=True, text=True).stdout
            ours = json.loads(text)
            if not ours["same"]:
                sys.exit("flows: the batch has other losses")
            for how in ("single", "batched"):
                found.setdefault(("ours", how), []).append(ours[f"{how}_per_s"])
            for key, (run, flows) in others.items():
                rate, loss = timed(run, flows)
                found.setdefault(key, []).append(rate)
                if key[0] == "power-grid-model" and abs(loss - ours["loss_mw"]) > 1e-6:
                    sys.exit(f"flows: {key} loses {loss} MW, ours {ours['loss_mw']}")
    rows = []
    for (impl, how), rates in found.items():
        rate = statistics.median(rates)
        print(f"{TASK}: {impl:17} {how:25} {rate:10.0f} power flows/s", flush=True)
        rows.append({"task": TASK, "impl": impl, "how": how, "threads": 1, "flows_per_s": round(rate)})
    replace_rows(args.out, rows)


if __name__ == "__main__":
    main()
