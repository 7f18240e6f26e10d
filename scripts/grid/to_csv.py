"""A recording of a feeder as a utility's data historian would give it: a CSV with a line for each inverter and time.

    omiga collect --task grid-33bus --quality medium --episodes 20 --out logs.hdf5
    python to_csv.py logs.hdf5 > logs.csv          # pip install h5py

Columns: `period` (an episode: half a day), `minute` (since its beginning), `inverter`, what it measured before its command (`v` in p.u.; `p`,
`q`, `q_limit` as shares of its rating), `command` (share of the reactive power that was left), `cost` (minus the reward: MW lost plus
ten times the violation beyond 0.049 p.u.). The last line of an inverter in a period has what it measured at the end, and no command.
"""

import csv
import json
import sys

import h5py

MINUTES = 3


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with h5py.File(sys.argv[1]) as file:
        agents = json.loads(file.attrs["omiga"])["task"]["agents"]
        obs, commands, rewards = file["o"][:], file["a"][:], file["r"][:]
        ends = file["d"][:, 0].astype(bool) | file["timeout"][:, 0].astype(bool)
    fields = [field["name"] for field in agents[0]["obs"]]
    out = csv.writer(sys.stdout)
    out.writerow(["period", "minute", "inverter", *fields, "command", "cost"])
    period = step = 0
    for row, last in enumerate(ends):
        for i, agent in enumerate(agents):
            did = ["", ""] if last else [f"{commands[row, i, 0]:.7g}", f"{-rewards[row, 0]:.7g}"]
            out.writerow([period, MINUTES * step, agent["name"], *(f"{x:.7g}" for x in obs[row, i]), *did])
        period, step = (period + 1, 0) if last else (period, step + 1)


if __name__ == "__main__":
    main()
