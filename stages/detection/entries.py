"""Room of detection: what params.yaml says of a detector, in the sections `detectors`."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stages.frame import parameters
from stages.frame.modules import find
from stages.frame.parameters import Name


@dataclass(frozen=True, kw_only=True)
class Detector:
    """An entry of `<study>.detectors`: the file in `stages/detection`, a model of the study, its parameters.

    Beside a victim that is guarded by it, a detector that needs a model and names none has the victim's.
    """

    detector: str
    model: Name | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


def of_victim(where: str, given: Detector, victim: str) -> Detector:
    """The detector beside the model `victim` of its study.

    Raises:
        UserError: there is no such file.
    """
    make = find("detection", given.detector, "detector", where=f"{where}.detector")
    lacks = given.model is None and "model" in inspect.signature(make).parameters
    return replace(given, model=victim) if lacks else given


def bound(where: str, given: Detector, models: Path) -> Callable:
    """The detector as a function of the device; `where` is the entry's name, `models` the folder of the study's.

    Raises:
        UserError: there is no such file, or it has other parameters.
    """
    make = find("detection", given.detector, "detector", where=f"{where}.detector")
    values = given.parameters | ({"model": str(models / given.model)} if given.model else {})
    return parameters.bind(make, f"{where}.parameters", values)
