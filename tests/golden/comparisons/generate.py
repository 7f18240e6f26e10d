"""Writes comparisons.json: Welch's t test by SciPy 1.17.1, Holm's correction by statsmodels 0.15.0.

    pip install scipy==1.17.1 statsmodels==0.15.0
    python generate.py --out comparisons.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests


def welch(ours: list, theirs: list) -> dict:
    found = stats.ttest_ind(ours, theirs, equal_var=False)
    values = {"t": found.statistic, "df": found.df, "p": found.pvalue}
    return {"ours": ours, "theirs": theirs} | {name: float(value) for name, value in values.items()}


def draw(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    sample = lambda n, mean, std: (mean + std * rng.standard_normal(n)).round(6).tolist()
    # As few runs as there are, of returns of all sizes; two and one value more that differ a lot in how far they spread.
    sizes = [(2, 2), (3, 3), (5, 5), (5, 3), (2, 10), (100, 80)]
    pairs = [
        welch(sample(n, mean, wide), sample(m, 0.0, 1.0))
        for n, m in sizes
        for mean, wide in [(0.0, 1.0), (3.0, 0.1), (2000.0, 300.0)]
    ]
    by_size = [rng.uniform(0, 1, m).round(6).tolist() for m in (1, 2, 5, 36)]
    small = [(rng.uniform(0, 1, 36) ** 6).tolist(), [0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.2], [0.0, 1.0, 1e-300]]
    adjusted = lambda p: multipletests(p, method="holm")[1].tolist()
    return {"welch": pairs, "holm": [{"p": p, "adjusted": adjusted(p)} for p in by_size + small]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.write_text(json.dumps(draw(args.seed), indent=1) + "\n")


if __name__ == "__main__":
    main()
