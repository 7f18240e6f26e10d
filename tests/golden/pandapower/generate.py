"""Power flows of the 33 buses of Baran and Wu by pandapower's Newton method.

    pip install pandapower==3.5.6
    python generate.py            # rewrites case33bw.json beside this file
    python generate.py --out FOLDER --seed 7 --cases 60

Python 3.11 and numpy 2.4.6 made the committed file. Network data: pandapower (BSD-3-Clause), as published by Baran and Wu in 1989; buses and
ratings of the inverters: MAPDN's 33 buses (Wang et al., NeurIPS 2021).

File: `base`, `slack`, `buses`, `lines` (those in service), `open_tie_lines`, `pv`: the network in ohm, MW, Mvar and p.u., buses
numbered from 0; `nominal`, `random`, `edge`: cases with what was put in (loads consume, inverters feed in) and what came out (`converged`
false: no solution, no results); `steps`: actions in [-1, 1] to reactive powers, voltages and MAPDN's rewards; `dv_dq_nominal` [33][6] in p.u. per Mvar.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandapower as pp
import pandapower.networks as pn

HERE = Path(__file__).resolve().parent
TOL = 1e-11  # MVA; pandapower's default is 1e-8

PV_BUS = [12, 17, 21, 24, 28, 32]
S_MVA = np.array([2.2033092975616455, 2.2033092975616455, 2.1408560276031494,
                  3.590609550476074, 0.3341514766216278, 0.3341514766216278])
P_MAX = S_MVA / 1.2
ZONES = ["main"] * 6 + ["zone1"] * 12 + ["zone2"] * 4 + ["zone3"] * 3 + ["zone4"] * 8


def build():
    net = pn.case33bw()
    for bus in PV_BUS:
        pp.create_sgen(net, bus=bus, p_mw=0.0, q_mvar=0.0, type="PV")
    return net


def solve(net, p, q, pv_p, pv_q, vm_slack=1.0):
    """One power flow. p, q: consumption of buses 0..32; pv_*: injection of the six inverters."""
    order = net.load.bus.to_numpy()
    net.load["p_mw"] = np.asarray(p, float)[order]
    net.load["q_mvar"] = np.asarray(q, float)[order]
    net.sgen["p_mw"] = np.asarray(pv_p, float)
    net.sgen["q_mvar"] = np.asarray(pv_q, float)
    net.ext_grid["vm_pu"] = vm_slack
    try:
        pp.runpp(net, algorithm="nr", init="flat", tolerance_mva=TOL, max_iteration=30)
    except pp.LoadflowNotConverged:
        return {"converged": False}
    bus, line, ext = net.res_bus.sort_index(), net.res_line.sort_index(), net.res_ext_grid
    on = net.line.in_service.to_numpy()
    return {
        "converged": True,
        "vm_pu": bus.vm_pu.tolist(),
        "va_degree": bus.va_degree.tolist(),
        "line_p_from_mw": line.p_from_mw.to_numpy()[on].tolist(),
        "line_q_from_mvar": line.q_from_mvar.to_numpy()[on].tolist(),
        "line_loss_mw": line.pl_mw.to_numpy()[on].tolist(),
        "line_loss_mvar": line.ql_mvar.to_numpy()[on].tolist(),
        "loss_mw": float(line.pl_mw.sum()),
        "loss_mvar": float(line.ql_mvar.sum()),
        "slack_p_mw": float(ext.p_mw.iloc[0]),
        "slack_q_mvar": float(ext.q_mvar.iloc[0]),
    }


def barriers(v):
    d = np.abs(np.asarray(v) - 1.0)
    normal = np.exp(-0.5 * (d / 0.1) ** 2) / np.sqrt(2 * np.pi * 0.1**2)
    return {
        "l1": float(d.mean()),
        "l2": float((2 * d**2).mean()),
        "bowl": float(np.where(d > 0.05, 2 * d - 0.095, 0.04 - 0.01 * normal).mean()),
        "courant_beltrami": float((np.maximum(0, d - 0.05) ** 2).mean()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--seed", type=int, default=33)
    parser.add_argument("--cases", type=int, default=30)
    args = parser.parse_args()
    net = build()
    rng = np.random.default_rng(args.seed)
    load = net.load.sort_values("bus")
    p0, q0 = np.zeros(33), np.zeros(33)
    p0[load.bus], q0[load.bus] = load.p_mw, load.q_mvar
    zero = np.zeros(6)
    z_base = 12.66**2 / net.sn_mva

    def case(name, p, q, pv_p, pv_q, vm_slack=1.0):
        out = {"name": name, "slack_vm_pu": vm_slack, "load_p_mw": np.asarray(p).tolist(), "load_q_mvar": np.asarray(q).tolist(),
               "pv_p_mw": np.asarray(pv_p).tolist(), "pv_q_mvar": np.asarray(pv_q).tolist()}
        out.update(solve(net, p, q, pv_p, pv_q, vm_slack))
        return out

    cases = []
    for k in range(args.cases):
        p = p0 * rng.uniform(0.1, 1.3, 33)
        q = q0 * rng.uniform(0.1, 1.3, 33)
        pv_p = P_MAX * rng.uniform(0, 1, 6)
        q_max = np.sqrt(S_MVA**2 - pv_p**2)
        pv_q = q_max * rng.uniform(-1, 1, 6)
        cases.append(case(f"random-{k}", p, q, pv_p, pv_q))

    q_full = np.sqrt(S_MVA**2 - P_MAX**2)
    edge = [
        case("no-load", zero.repeat(6)[:33], zero.repeat(6)[:33], zero, zero),
        case("night-all-q-up", p0, q0, zero, S_MVA),
        case("night-all-q-down", p0, q0, zero, -S_MVA),
        case("noon-light-load", 0.3 * p0, 0.3 * q0, P_MAX, zero),
        case("noon-light-load-q-down", 0.3 * p0, 0.3 * q0, P_MAX, -q_full),
        case("noon-light-load-q-up", 0.3 * p0, 0.3 * q0, P_MAX, q_full),
        case("slack-1.05", p0, q0, zero, zero, 1.05),
        case("slack-0.95", p0, q0, zero, zero, 0.95),
        case("load-x2", 2 * p0, 2 * q0, zero, zero),
        case("load-x3", 3 * p0, 3 * q0, zero, zero),
        case("load-x3.4", 3.4 * p0, 3.4 * q0, zero, zero),
        case("load-x4", 4 * p0, 4 * q0, zero, zero),
        case("one-inverter-17", p0, q0, np.eye(6)[1] * P_MAX, np.eye(6)[1] * -1.0),
    ]

    # rewards: actions in [-1, 1] -> q = a sqrt(S^2 - p^2) -> power flow -> barriers and reward (voltage weight 1, q weight 0.1)
    steps = []
    for k in range(12):
        p, q = p0 * rng.uniform(0.2, 1.0, 33), q0 * rng.uniform(0.2, 1.0, 33)
        pv_p, a = P_MAX * rng.uniform(0, 1, 6), rng.uniform(-0.8, 0.8, 6)
        pv_q = a * np.sqrt(S_MVA**2 - pv_p**2)
        r = case(f"step-{k}", p, q, pv_p, pv_q)
        v = np.array(r["vm_pu"])
        b = barriers(v)
        keep = {key: r[key] for key in ("name", "load_p_mw", "load_q_mvar", "pv_p_mw", "pv_q_mvar", "vm_pu", "loss_mw")}
        q_loss = float(np.mean(np.abs(pv_q)))
        keep.update(action=a.tolist(), barrier=b, q_loss_mvar=q_loss,
                    reward={name: -(value + 0.1 * q_loss) for name, value in b.items()},
                    share_out=float(np.mean((v < 0.95) | (v > 1.05))), all_in_band=bool(((v >= 0.95) & (v <= 1.05)).all()))
        steps.append(keep)

    # dv_j / dq_i by central differences of 1 kvar at nominal load (p.u. per Mvar), rows = 33 buses, columns = 6 inverters
    sens = np.zeros((33, 6))
    for i in range(6):
        h = 1e-3 * np.eye(6)[i]
        up, down = solve(net, p0, q0, zero, h), solve(net, p0, q0, zero, -h)
        sens[:, i] = (np.array(up["vm_pu"]) - np.array(down["vm_pu"])) / 2e-3

    doc = {
        "made_by": f"pandapower {pp.__version__}, runpp(algorithm='nr', init='flat', tolerance_mva={TOL})",
        "seed": args.seed,
        "conventions": "buses 0-based as in pandapower (textbooks: +1); load p, q > 0 consume; pv p, q > 0 inject; line results are those of the 32 "
                       "lines in service, in the order of `lines`; loss = p_from + p_to; slack p, q > 0: the grid feeds the feeder",
        "base": {"s_mva": net.sn_mva, "v_kv": 12.66, "z_ohm": z_base},
        "slack": {"bus": 0, "vm_pu": 1.0, "va_degree": 0.0},
        "buses": [{"bus": i, "load_p_mw": p0[i], "load_q_mvar": q0[i], "zone": ZONES[i]} for i in range(33)],
        "lines": [{"line": int(i), "from": int(r.from_bus), "to": int(r.to_bus), "r_ohm": r.r_ohm_per_km * r.length_km,
                   "x_ohm": r.x_ohm_per_km * r.length_km} for i, r in net.line[net.line.in_service].iterrows()],
        "open_tie_lines": [{"line": int(i), "from": int(r.from_bus), "to": int(r.to_bus), "r_ohm": r.r_ohm_per_km * r.length_km,
                            "x_ohm": r.x_ohm_per_km * r.length_km} for i, r in net.line[~net.line.in_service].iterrows()],
        "pv": [{"bus": b, "zone": ZONES[b], "s_mva": float(s), "p_max_mw": float(s / 1.2)} for b, s in zip(PV_BUS, S_MVA)],
        "nominal": case("nominal", p0, q0, zero, zero),
        "dv_dq_nominal": sens.tolist(),
        "random": cases, "edge": edge, "steps": steps,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "case33bw.json").write_text(json.dumps(doc, separators=(",", ":")))


if __name__ == "__main__":
    main()
