"""A run's numbers into MLflow or Weights & Biases, through their own clients.

    pip install mlflow-skinny sqlalchemy alembic
    MLFLOW_TRACKING_URI=sqlite:///mlflow.db python scripts/track.py mlflow runs/spread/omiga/seed-0
    pip install wandb && WANDB_MODE=offline python scripts/track.py wandb runs/spread/omiga/seed-0

Run with mlflow-skinny 3.17.2, which refuses folders (./mlruns) unless MLFLOW_ALLOW_FILE_STORE=true, and wandb 0.31.0.

Settings become parameters (`config.toml`), training's numbers (`metrics.jsonl`), evaluations (`evaluations.jsonl`) and gauges
(`gauges.jsonl`) become metrics over updates. Both clients take their server, project and key from their own variables (MLFLOW_TRACKING_URI, WANDB_PROJECT, ...).
Python 3.11 or later.
"""

import argparse
import json
import tomllib
from pathlib import Path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def settings(run: Path) -> dict[str, object]:
    sections = tomllib.loads((run / "config.toml").read_text())
    tables = {name: values for name, values in sections.items() if isinstance(values, dict)}
    return {f"{name}.{key}": value for name, values in tables.items() for key, value in values.items()}


def numbers(run: Path) -> dict[int, dict[str, float]]:
    """By updates."""
    found: dict[int, dict[str, float]] = {}
    for line in lines(run / "metrics.jsonl"):
        step = line.pop("step")
        found.setdefault(step, {}).update(line)
    for line in lines(run / "gauges.jsonl"):
        group = "held_out" if line["held_out"] else "learned_from"
        values = {f"{group}/{name}": x for name, x in line.items() if isinstance(x, float)}
        found.setdefault(line["step"], {}).update(values)
    for line in lines(run / "evaluations.jsonl"):
        means = {f"eval_{name}": line[name] for name in ("return_mean", "return_std", "length_mean", "diverged")}
        found.setdefault(line["step"], {}).update(means)
    return dict(sorted(found.items()))


def to_mlflow(run: Path, name: str) -> None:
    import mlflow

    with mlflow.start_run(run_name=name):
        mlflow.log_params(settings(run))
        for step, values in numbers(run).items():
            mlflow.log_metrics(values, step=step)


def to_wandb(run: Path, name: str) -> None:
    import wandb

    with wandb.init(name=name, config=settings(run)) as tracked:
        for step, values in numbers(run).items():
            tracked.log(values, step=step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("to", choices=["mlflow", "wandb"])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs")
    args = parser.parse_args()
    for run in args.runs:
        if not (run / "config.toml").is_file():
            parser.error(f"{run} is no run: it holds no config.toml")
        name = "/".join(run.resolve().parts[-3:])
        (to_mlflow if args.to == "mlflow" else to_wandb)(run, name)
        print(f"{run}: {name}")


if __name__ == "__main__":
    main()
