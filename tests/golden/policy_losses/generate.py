"""Writes losses.json: the policies' errors, the losses made of them and their gradients by the heads, in double precision.

    python generate.py --out losses.json

Gradients are complex steps, Im f(x + ih) / h with h = 1e-200: exact to rounding, and no derivative is written down.
"""

import argparse
import cmath
import json
import math
import random
from pathlib import Path

B, N, A = 3, 2, 2
MARGIN, BETA = 0.01, 0.3
MU_LIMIT, LOG_SIGMA = 9.0, (-5.0, 2.0)
STEP = 1e-200


def clamp(x, low, high):
    """A constant outside the limits."""
    return complex(low) if x.real < low else complex(high) if x.real > high else x


def log_normal(x, mean, log_sigma):
    return -((x - mean) ** 2) / (2 * cmath.exp(2 * log_sigma)) - log_sigma - math.log(2 * math.pi) / 2


def nll(mu, log_sigma, a):
    """u = atanh(a) is Gaussian; da/du = 1 - a^2."""
    a = min(max(a, MARGIN - 1), 1 - MARGIN)
    return -log_normal(math.atanh(a), clamp(mu, -MU_LIMIT, MU_LIMIT), clamp(log_sigma, *LOG_SIGMA)) + math.log(1 - a * a)


def beta_nll(mu, log_sigma, a):
    log_sigma = clamp(log_sigma, *LOG_SIGMA)
    stopped = math.exp(log_sigma.real) ** (2 * BETA)
    return -stopped * log_normal(a, cmath.tanh(mu), log_sigma)


def mse(mu, _, a):
    return (cmath.tanh(mu) - a) ** 2


def mae(mu, _, a):
    off = cmath.tanh(mu) - a
    return off if off.real >= 0 else -off


LOSSES = {"nll": nll, "beta-nll": beta_nll, "mse": mse, "mae": mae}


def draw() -> dict:
    rng = random.Random(0)
    rows = lambda low, high: [[round(rng.uniform(low, high), 3) for _ in range(A)] for _ in range(B * N)]
    case = {"mu": rows(-2, 2), "log_sigma": rows(-3, 1), "actions": rows(-1, 1)}
    case["z"] = [[round(rng.uniform(-2, 2), 3) for _ in range(N)] for _ in range(B)]
    case["alive"] = [[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]
    # Bounds, and beyond the clamps.
    case["actions"][0], case["mu"][5][0] = [1.0, -1.0], 9.5
    case["log_sigma"][4] = [-6.0, 3.0]
    return case


def judge(case: dict, loss) -> dict:
    """A row is agent row % N of transition row // N."""

    def error(row, mu, log_sigma):
        return sum(loss(m, s, a) for m, s, a in zip(mu, log_sigma, case["actions"][row]))

    heads = [([complex(x) for x in m], [complex(x) for x in s]) for m, s in zip(case["mu"], case["log_sigma"])]
    z, alive = sum(case["z"], []), sum(case["alive"], [])
    cloning = [a / sum(alive) for a in alive]
    weighted = [math.exp(w) * a / sum(alive) for w, a in zip(z, alive)]
    errors = [error(row, *heads[row]).real for row in range(B * N)]

    def slope(row, head, d):
        moved = [list(x) for x in heads[row]]
        moved[head][d] += 1j * STEP
        return weighted[row] * error(row, *moved).imag / STEP

    return {
        "errors": errors,
        "behaviour_cloning_loss": math.fsum(w * e for w, e in zip(cloning, errors)),
        "policy_loss": math.fsum(w * e for w, e in zip(weighted, errors)),
        "mu_gradient": [[slope(row, 0, d) for d in range(A)] for row in range(B * N)],
        "log_sigma_gradient": [[slope(row, 1, d) for d in range(A)] for row in range(B * N)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("losses.json"))
    case = draw()
    losses = {name: judge(case, loss) for name, loss in LOSSES.items()}
    sizes = {"action_margin": MARGIN, "beta": BETA}
    parser.parse_args().out.write_text(json.dumps({**sizes, **case, "losses": losses}, indent=1) + "\n")


if __name__ == "__main__":
    main()
