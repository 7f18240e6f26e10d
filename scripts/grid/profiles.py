"""SimBench's relative profiles of 2016 to MW of the 33 buses, for `grid-33bus-recorded`; no package is needed.

    python profiles.py .deps/simbench/raw --out .deps/simbench/case33.csv

- A bus's load is a fixed mix of three of 21 profiles (customers.csv) times its largest load; all are scaled so that the feeder's
  largest load in the year is the sum of its buses' (3.715 MW). Reactive loads are not written: they keep the ratio of the feeder's
  table, as the profiles' own reactive powers are shares of another base and no power factors.
- A plant follows PV1, PV1, PV2, PV5, PV7, PV7 (in the order of the buses), divided by that profile's largest value of the
  year, which is 0.59 to 0.63 and not 1.
"""

import argparse
import csv
import os
from collections import defaultdict
from pathlib import Path

from table import lines

HERE = Path(__file__).resolve().parent
PLANTS = ["PV1", "PV1", "PV2", "PV5", "PV7", "PV7"]
RATING_TO_PEAK = 1.2


def columns(path: Path, names: set[str]) -> dict[str, list[float]]:
    with path.open(newline="") as file:
        rows = csv.reader(file, delimiter=";")
        header = next(rows)
        places = {name: header.index(name) for name in names}
        found = {name: [] for name in names}
        for row in rows:
            for name, place in places.items():
                found[name].append(float(row[place]))
    return found


def feeder() -> tuple[dict[str, float], dict[str, float]]:
    """Largest load by bus, and peak power of its panels where there are some; MW."""
    _, rows = lines()
    loads = {row["to"]: float(row["p_mw"]) for row in rows}
    return loads, {row["to"]: float(row["s_mva"]) / RATING_TO_PEAK for row in rows if row["s_mva"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path, help="folder with LoadProfile.csv and RESProfile.csv")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    loads, peaks = feeder()
    mixes = defaultdict(dict)
    with (HERE / "customers.csv").open(newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            mixes[row["bus"]][f"{row['profile']}_pload"] = float(row["share"])
    customers = columns(args.raw / "LoadProfile.csv", {name for mix in mixes.values() for name in mix})
    sun = columns(args.raw / "RESProfile.csv", set(PLANTS))
    times = range(len(sun["PV1"]))
    series = {
        bus: [load * sum(share * customers[name][t] for name, share in mixes[bus].items()) for t in times]
        for bus, load in loads.items()
    }
    scale = sum(loads.values()) / max(sum(values[t] for values in series.values()) for t in times)
    largest = {name: max(values) for name, values in sun.items()}
    plants = {bus: [peak * value / largest[name] for value in sun[name]] for (bus, peak), name in zip(peaks.items(), PLANTS)}
    temporary = args.out.with_suffix(".part")
    with temporary.open("w") as out:
        out.write("# SimBench 1.6.3, 2016; Open Database License 1.0. Made by scripts/grid/profiles.py.\nminutes = 15\n")
        out.write(",".join([f"p.{bus}" for bus in series] + [f"pv.{bus}" for bus in plants]) + "\n")
        for t in times:
            values = [scale * values[t] for values in series.values()] + [values[t] for values in plants.values()]
            out.write(",".join(f"{value:.7g}" for value in values) + "\n")
    os.replace(temporary, args.out)


if __name__ == "__main__":
    main()
