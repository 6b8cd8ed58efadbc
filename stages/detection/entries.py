"""Room of detection: what params.yaml says of a detector, in the sections `detectors`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.frame import parameters
from stages.frame.modules import find
from stages.frame.parameters import Name


@dataclass(frozen=True, kw_only=True)
class Detector:
    """An entry of `<study>.detectors`: the file in `stages/detection`, a model of the study, its parameters."""

    detector: str
    model: Name | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


def bound(where: str, given: Detector, models: Path) -> Callable:
    """The detector as a function of the device; `where` is the entry's name, `models` the folder of the study's.

    Raises:
        UserError: there is no such file, or it has other parameters.
    """
    make = find("detection", given.detector, "detector", where=f"{where}.detector")
    values = given.parameters | ({"model": str(models / given.model)} if given.model else {})
    return parameters.bind(make, f"{where}.parameters", values)
