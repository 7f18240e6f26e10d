"""Policies learned offline for teams of machines: act, record, evaluate.

`Policy` and `Team` act, `Dataset` reads every format that `omiga train` takes, `record` and `evaluate` play any parallel
environment of PettingZoo, `Writer` records anything else. Numpy arrays go in and come out.
"""

from omiga._omiga import (
    DatasetError,
    Error,
    Policy,
    PolicyError,
    StepError,
    Team,
    Writer,
    __version__,
)
from omiga.dataset import Dataset, Episode
from omiga.play import Played, evaluate, record
from omiga.pymarl import PymarlEnv
from omiga.spaces import task_of

__all__ = [
    "Dataset",
    "DatasetError",
    "Episode",
    "Error",
    "Played",
    "Policy",
    "PolicyError",
    "PymarlEnv",
    "StepError",
    "Team",
    "Writer",
    "__version__",
    "evaluate",
    "record",
    "task_of",
]
