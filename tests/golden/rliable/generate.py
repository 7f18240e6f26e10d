"""Writes scores.json: what rliable 1.2.0 makes of the scores of two algorithms.

    pip install rliable==1.2.0 arch==7.2.0 pandas==2.3.3
    python generate.py --out scores.json

Scores are lists of runs by task; the second algorithm has fewer runs. With --scores FILE they are read from such a file.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from rliable import library, metrics

REPS = 50_000


def draw(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    x = [(0.8 + 0.2 * rng.standard_normal(5)).round(3).tolist() for _ in range(3)]
    y = [(0.7 + 0.3 * rng.standard_normal(4)).round(3).tolist() for _ in range(3)]
    # An equal pair: it counts half.
    y[0][0] = x[0][0]
    return {"x": x, "y": y, "taus": [0.0, 0.5, 0.7, x[0][0], 1.0, 1.2]}


def judge(scores: dict) -> dict:
    """rliable has runs in rows, tasks in columns."""
    np.random.seed(0)
    x, y = np.array(scores["x"]).T, np.array(scores["y"]).T
    iqm = lambda scores: np.array([metrics.aggregate_iqm(scores)])
    _, of_iqm = library.get_interval_estimates({"x": x}, iqm, reps=REPS)
    improvement = lambda x, y: np.array([metrics.probability_of_improvement(x, y)])
    _, of_improvement = library.get_interval_estimates({"x,y": (x, y)}, improvement, reps=REPS // 10)
    profile, _ = library.create_performance_profile({"x": x}, np.array(scores["taus"]), reps=10)
    return {
        "iqm": [float(metrics.aggregate_iqm(x)), float(metrics.aggregate_iqm(y))],
        "iqm_ci95": of_iqm["x"][:, 0].tolist(),
        "improvement": float(metrics.probability_of_improvement(x, y)),
        "improvement_ci95": of_improvement["x,y"][:, 0].tolist(),
        "profile": profile["x"].tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    scores = draw(args.seed)
    args.out.write_text(json.dumps(scores | judge(scores), indent=1) + "\n")


if __name__ == "__main__":
    main()
