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

    `clips` holds the readable clips with what the network takes in, `beside` is another set of the same clips that the
    method may read. `build()` makes the untrained module from torch's current seed, its keyword arguments taking the
    place of the victim's parameters; `config` is what a finished model's `config.json` says. Unfinished work stays in
    `scratch`, models are written into `finished`.
    """

    clips: ShardSet
    beside: ShardSet
    labels: list[str]
    build: Callable[..., nn.Module]
    config: dict[str, Any]
    device: str
    scratch: Path
    finished: Path
