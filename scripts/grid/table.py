"""The table of the 33 buses' lines."""

import csv
from pathlib import Path

CASE33 = Path(__file__).resolve().parents[2] / "crates/env/src/grid/case33.csv"


def lines() -> tuple[float, list[dict[str, str]]]:
    """The voltage in kV, and a row for each line."""
    texts = [line.split("#")[0].strip() for line in CASE33.read_text().splitlines()]
    voltage, *table = [text for text in texts if text]
    return float(voltage.split("=")[1]), list(csv.DictReader(table))
