"""What a controller that sees and commands everything could reach on the days of a recording: the least losses with all buses in the band.

    omiga collect --task grid-33bus --quality no-control --episodes 200 --seed 1000000 --out days.hdf5
    python optimum.py days.hdf5 --every 5          # pip install numpy scipy h5py clarabel

`omiga eval` plays the same days with its default seed. Each step is a quadratic program in the six reactive powers, solved three
times about the last solution by Clarabel: losses with currents linear in q, voltages linear in q, held within 0.951 to 1.049
p.u. with a slack that costs 50 MW per p.u. What is printed comes of full power flows with the q that was found.
"""

import argparse
import json
from pathlib import Path

import clarabel
import h5py
import numpy as np
import scipy.sparse as sp
from table import lines

LOW, HIGH, SLACK_COST = 0.951, 1.049, 50.0
BLOCK = 60
EPISODE = 240


class Feeder:
    """Powers in MW and Mvar, a base of 1 MVA; rows are buses, columns times."""

    def __init__(self) -> None:
        voltage_kv, rows = lines()
        base, n = voltage_kv**2, len(rows) + 1
        self.path = np.zeros((n, n))  # [bus, line above a bus]
        self.z = np.zeros(n, complex)
        for row in rows:
            bus, parent = int(row["to"]), int(row["from"])
            self.path[bus] = self.path[parent]
            self.path[bus, bus] = 1
            self.z[bus] = complex(float(row["r_ohm"]), float(row["x_ohm"])) / base
        self.impedance = (self.path * self.z) @ self.path.T
        self.plants = [int(row["to"]) for row in rows if row["s_mva"]]
        self.rating = np.array([float(row["s_mva"]) for row in rows if row["s_mva"]])

    def solve(self, s: np.ndarray, v: np.ndarray | None = None) -> np.ndarray:
        v = np.ones_like(s) if v is None else v
        for _ in range(200):
            before, v = v, 1.0 - self.impedance @ np.conj(s / v)
            if np.abs(v - before).max() < 1e-11:
                return v
        raise SystemExit("optimum: a power flow has no solution")

    def consumption(self, load: np.ndarray, sun: np.ndarray, q: np.ndarray) -> np.ndarray:
        s = load.astype(complex)
        for i, bus in enumerate(self.plants):
            s[bus] -= sun[i] + 1j * q[i]
        return s

    def currents(self, s: np.ndarray, v: np.ndarray) -> np.ndarray:
        return self.path.T @ np.conj(s / v)

    def losses(self, s: np.ndarray, v: np.ndarray) -> np.ndarray:
        return (self.z.real[:, None] * np.abs(self.currents(s, v)) ** 2).sum(0)


def improve(feeder: Feeder, load: np.ndarray, sun: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The optimum of the problem that is linear about q."""
    n_q, limit = len(q), np.sqrt(np.maximum(feeder.rating[:, None] ** 2 - sun**2, 0))
    s = feeder.consumption(load, sun, q)
    v = feeder.solve(s)
    step, slopes = 0.01, []
    for i in range(n_q):
        moved = q.copy()
        moved[i] += step
        slopes.append((np.abs(feeder.solve(feeder.consumption(load, sun, moved), v)) - np.abs(v)) / step)
    slopes, j = np.array(slopes), feeder.currents(s, v)  # [inverter, bus, time]
    found = np.empty_like(q)
    for first in range(0, q.shape[1], BLOCK):
        times = range(first, min(first + BLOCK, q.shape[1]))
        quadratic, linear, rows, bounds = [], [], [], []
        for t in times:
            m = np.stack([feeder.path.T[:, bus] * np.conj(-1j / v[bus, t]) for bus in feeder.plants], axis=1)
            h = 2 * (m.conj().T @ (feeder.z.real[:, None] * m)).real
            g = 2 * (m.conj().T @ (feeder.z.real * j[:, t])).real - h @ q[:, t]
            quadratic.append(sp.block_diag([h + 1e-9 * np.eye(n_q), [[0.0]]]))
            linear += [*g, SLACK_COST]
            slope = slopes[:, 1:, t].T
            rest, ones = np.abs(v[1:, t]) - slope @ q[:, t], np.ones((slope.shape[0], 1))
            identity, zeros = np.eye(n_q), np.zeros((n_q, 1))
            rows.append(np.block([[slope, -ones], [-slope, -ones], [identity, zeros], [-identity, zeros],
                                  [np.zeros((1, n_q)), -np.ones((1, 1))]]))
            bounds += [*(HIGH - rest), *(rest - LOW), *limit[:, t], *limit[:, t], 0.0]
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        cone = [clarabel.NonnegativeConeT(len(bounds))]
        program = sp.triu(sp.block_diag(quadratic, format="csc")).tocsc(), np.array(linear)
        solution = clarabel.DefaultSolver(*program, sp.block_diag(rows, format="csc"), np.array(bounds), cone, settings).solve()
        found[:, first:first + len(times)] = np.array(solution.x).reshape(len(times), n_q + 1)[:, :n_q].T
    return np.clip(found, -limit, limit)


def read(path: Path, every: int, buses: int, plants: int) -> tuple[np.ndarray, np.ndarray]:
    """Loads [bus, time] and sun [plant, time] from the recorded states."""
    with h5py.File(path) as file:
        state = np.asarray(file["s"], dtype=float)
    # The last row of an episode is what followed its last step.
    rows = np.arange(len(state)) % (EPISODE + 1)
    state = state[rows < EPISODE][::every]
    fed = buses - 1
    if state.shape[1] != 2 * fed + plants:
        raise SystemExit(f"optimum: {path} is not of this feeder")
    load = np.zeros((buses, len(state)), complex)
    load[1:] = (state[:, :fed] + 1j * state[:, fed:2 * fed]).T
    return load, state[:, 2 * fed:2 * fed + plants].T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("days", type=Path)
    parser.add_argument("--every", type=int, default=5, help="only every so many steps")
    args = parser.parse_args()
    feeder = Feeder()
    load, sun = read(args.days, args.every, len(feeder.z), len(feeder.plants))
    q = np.zeros((len(feeder.plants), load.shape[1]))
    for name in ("no control", "central optimum"):
        for _ in range(3 if name != "no control" else 0):
            q = improve(feeder, load, sun, q)
        s = feeder.consumption(load, sun, q)
        v = feeder.solve(s)
        out = np.abs(np.abs(v[1:]) - 1) > 0.05
        row = {"policy": name, "steps": load.shape[1], "band held, %": 100 * (~out.any(0)).mean(), "bus-time out, %": 100 * out.mean(),
               "loss, kWh a day": 24000 * feeder.losses(s, v).mean(), "reactive energy, Mvarh a day": 24 * np.abs(q).sum(0).mean()}
        print(json.dumps({key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}))


if __name__ == "__main__":
    main()
