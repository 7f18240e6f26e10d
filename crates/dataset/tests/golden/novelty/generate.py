"""Writes reference.json: quantiles by numpy, Ledoit and Wolf's covariance and Mahalanobis distances by scikit-learn.

    pip install numpy==2.4.6 scikit-learn==1.9.1
    python generate.py --out reference.json

Rows are few, so that the shrinkage is far above the least one. Fields have very different units, and the last two nearly
the same values.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.preprocessing import StandardScaler

QUANTILES = [0.0005, 0.9995, 0.25]


def draw(rng: np.random.Generator, n: int) -> np.ndarray:
    z = rng.standard_normal((n, 5))
    x = np.stack([z[:, 0], 1e3 + 50 * (z[:, 0] + z[:, 1]), 1e-3 * z[:, 2], 7 + z[:, 3], 7 + z[:, 3] + 0.01 * z[:, 4]], axis=1)
    return x.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    rng = np.random.default_rng(7)
    x, new = draw(rng, 60), draw(rng, 8)
    new[4:, 1] *= 1.2
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    raw = LedoitWolf(assume_centered=True).fit(centred)
    scaler = StandardScaler().fit(x.astype(np.float64))
    scaled = LedoitWolf().fit(scaler.transform(x.astype(np.float64)))
    reference = {
        "rows": x.tolist(),
        "quantiles": {str(q): np.quantile(x.astype(np.float64), q, axis=0).tolist() for q in QUANTILES},
        "raw": {"shrinkage": float(raw.shrinkage_), "covariance": raw.covariance_.tolist()},
        "scaled": {"shrinkage": float(scaled.shrinkage_), "covariance": scaled.covariance_.tolist()},
        "new": new.tolist(),
        "distances": np.sqrt(scaled.mahalanobis(scaler.transform(new.astype(np.float64)))).tolist(),
    }
    out.write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
