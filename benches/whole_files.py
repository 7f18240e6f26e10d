"""Files that appear whole or not at all, for the scripts of all benchmarks."""

import json
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Beside its place first, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    partial.write_text(text)
    partial.replace(path)


def write_rows(path: Path, rows: list[dict]) -> None:
    """A JSON list, a line a row."""
    write(path, "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def replace_rows(path: Path, rows: list[dict]) -> None:
    """As `write_rows`, in place of what the file says of the tasks of these rows; other tasks' rows stay."""
    measured = {row["task"] for row in rows}
    kept = json.loads(path.read_text()) if path.is_file() else []
    write_rows(path, [row for row in kept if row["task"] not in measured] + rows)
