"""The programs of the manual run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[-1][:40])
def test_a_block_runs(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").symlink_to(ROOT / "models")
    if "smaclite" in block:
        pytest.importorskip("smaclite", reason="SMAClite is on no package index")
    exec(compile(block, "docs/python.md", "exec"), {})


def test_there_are_blocks() -> None:
    assert len(BLOCKS) >= 5
