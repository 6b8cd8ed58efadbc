"""Room of scoring: what happens to clips on their way to those who hear them, by entries of params.yaml."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stages.frame import parameters
from stages.frame.modules import find
from stages.treatments.entry import Treatment

Way = Callable[..., list[np.ndarray]]
# What no entry says: the verb tells it.
PASSED = ("sample_rate_hz", "seeds", "device")


def treated(study: str, name: str, given: Treatment, *, of_images: bool, **told: Any) -> Way:
    """The treatment `name` of a study, as a function of clips, their `seeds`, and of images the `model` they are of.

    Raises:
        UserError: there is no such treatment, or it has other parameters.
    """
    where = f"{study}.treatments.{name}"
    treat = find("treatments", given.treatment, "treat", where=f"{where}.treatment")
    values = given.parameters | ({"model": str(Path("models", study, given.model))} if given.model else {})
    passed = (*PASSED, "model") if of_images else PASSED
    return partial(parameters.bind(treat, f"{where}.parameters", values, passed=passed), **told)


def played(study: str, playback: dict[str, Any], **told: Any) -> Way:
    """The function of clips and `seeds` that plays them as the section `playback` says.

    Raises:
        UserError: the section has other parameters.
    """
    # The phrases are for attackers.
    values = {name: value for name, value in playback.items() if name != "spoken_phrases"}
    treat = find("treatments", "rooms", "treat", where=f"{study}.playback")
    return partial(parameters.bind(treat, f"{study}.playback", values, passed=PASSED), **told)


def files(given: Treatment) -> list[str]:
    """What a treatment reads besides its model."""
    return [given.parameters[name] for name in ("impulse_response",) if name in given.parameters]
