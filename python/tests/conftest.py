"""What the tests share: where the project's files are, and a program to train with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Environments draw with pygame even when nobody looks.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def models() -> Path:
    return ROOT / "models"


@pytest.fixture(scope="session")
def formats() -> Path:
    return ROOT / "crates/dataset/tests/data/formats"


@pytest.fixture(scope="session")
def program() -> str:
    """The command line that trains; `make interop` says where it is."""
    if "OMIGA" not in os.environ:
        pytest.skip("needs OMIGA, the path of the program `omiga`")
    return os.environ["OMIGA"]
