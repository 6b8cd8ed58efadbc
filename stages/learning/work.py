"""Room of learning: what every way to a pretrained model is given."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Work:
    """What to learn from and where the result goes.

    `root` is the folder or file to learn from, or the folder of downloaded models. Unfinished work stays in `scratch`,
    the model is written into `finished`, on `device` it is computed.
    """

    root: Path
    finished: Path
    scratch: Path
    device: str
