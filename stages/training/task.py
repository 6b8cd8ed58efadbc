"""Room of training: what every training method is given."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from stages.frame.shards import ShardSet


@dataclass(frozen=True)
class Task:
    """Labelled clips to learn from, and where the result goes.

    `clips` holds the readable clips with what the network takes in, `data` is the folder of all the study's sets.
    `build()` makes the untrained module from torch's current seed; `config` is what a finished model's `config.json`
    says. Unfinished work stays in `scratch`, models are written into `finished`.
    """

    clips: ShardSet
    data: Path
    labels: list[str]
    build: Callable[[], nn.Module]
    config: dict[str, Any]
    device: str
    scratch: Path
    finished: Path
