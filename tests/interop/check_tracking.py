"""Do MLflow and Weights & Biases hold a run's numbers after `scripts/track.py`? Both offline, read back from what they stored.

MLflow is read with its own client; wandb 0.31.0 has no reader of an offline run, so its log is taken apart here (records of LevelDB's log
format behind a header of 7 bytes, each a message `Record`).
"""

import argparse
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
from wandb.proto import wandb_internal_pb2

from report import check_equal

TRACK = Path(__file__).parents[2] / "scripts" / "track.py"
BLOCK, HEADER = 32768, 7
FULL, LAST = 1, 4


def track(to: str, run: Path, **variables: str) -> None:
    subprocess.run([sys.executable, TRACK, to, run], env=os.environ | variables, check=True, capture_output=True)


def expected(run: Path) -> dict[str, dict[int, float]]:
    """Values by metric and updates, from the run's own files."""
    found: dict[str, dict[int, float]] = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        values = json.loads(line)
        step = values.pop("step")
        for name, value in values.items():
            found.setdefault(name, {})[step] = value
    for line in (run / "evaluations.jsonl").read_text().splitlines():
        values = json.loads(line)
        found.setdefault("eval_return_mean", {})[values["step"]] = values["return_mean"]
    return found


def records(log: bytes) -> Iterator[wandb_internal_pb2.Record]:
    at, parts = HEADER, b""
    while at + HEADER <= len(log):
        if BLOCK - at % BLOCK < HEADER:  # a block's rest is too short for a record
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", log, at)
        parts += log[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (FULL, LAST):
            yield wandb_internal_pb2.Record.FromString(parts)
            parts = b""


def in_mlflow(run: Path, work: Path, wanted: dict[str, dict[int, float]]) -> None:
    store = f"sqlite:///{work / 'mlflow.db'}"
    track("mlflow", run, MLFLOW_TRACKING_URI=store)
    client = mlflow.MlflowClient(store)
    (tracked,) = client.search_runs(["0"])
    check_equal(tracked.data.params["run.steps"], "50", "MLflow: run.steps")
    for name, values in wanted.items():
        history = {point.step: point.value for point in client.get_metric_history(tracked.info.run_id, name)}
        check_equal(history, values, f"MLflow: {name}")


def in_wandb(run: Path, work: Path, wanted: dict[str, dict[int, float]]) -> None:
    track("wandb", run, WANDB_MODE="offline", WANDB_DIR=str(work), WANDB_SILENT="true")
    (log,) = work.glob("wandb/offline-run-*/*.wandb")
    found: dict[str, dict[int, float]] = {}
    settings = {}
    for record in records(log.read_bytes()):
        settings |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        for item in record.history.item:
            name = item.key or ".".join(item.nested_key)
            found.setdefault(name, {})[record.history.step.num] = json.loads(item.value_json)
    check_equal(settings["run.steps"], 50, "wandb: run.steps")
    for name, values in wanted.items():
        check_equal(found.get(name), values, f"wandb: {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for what they store")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True)
    wanted = expected(args.run)
    in_mlflow(args.run, work, wanted)
    in_wandb(args.run, work, wanted)


if __name__ == "__main__":
    main()
