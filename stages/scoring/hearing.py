"""Room of scoring: what happens to clips on their way, and what victims then decide, also those that take images."""

import functools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.frame import finite, parameters
from stages.frame.errors import UserError
from stages.frame.modules import find
from stages.frame.treatment import Treatment

if TYPE_CHECKING:
    from torch import nn

    from stages.victim import Victim


Way = Callable[..., list[np.ndarray]]
# What no entry says: the verb tells it.
PASSED = ("sample_rate_hz", "seeds", "device")


def treated(study: str, name: str, given: Treatment, *, of_images: bool, **told: Any) -> Way:
    """The treatment `name` of a study, as a function of clips, their `seeds`, and of images the `model` they are of.

    Where it reads no file, which may still have to be made, it is asked of no clips once, so that what can't be at
    their sampling rate is told before anything is computed.

    Raises:
        UserError: there is no such treatment, it has other parameters, or these do not fit the clips.
    """
    where = f"{study}.treatments.{name}"
    treat = find("treatments", given.treatment, "treat", where=f"{where}.treatment")
    values = given.parameters | ({"model": str(Path("models", study, given.model))} if given.model else {})
    passed = (*PASSED, "model") if of_images else PASSED
    way = partial(parameters.bind(treat, f"{where}.parameters", values, passed=passed), **told)
    try:
        if not given.files:
            way([], seeds=[], **({"model": ""} if of_images else {}))
    except UserError as error:
        raise UserError(f"params.yaml: {where}", "a treatment that fits", str(error), "change it") from error
    return way


def played(study: str, playback: dict[str, Any], **told: Any) -> Way:
    """The function of clips and `seeds` that plays them as the section `playback` says.

    Raises:
        UserError: the section has other parameters.
    """
    # The phrases are for attackers.
    values = {name: value for name, value in playback.items() if name != "spoken_phrases"}
    treat = find("treatments", "rooms", "treat", where=f"{study}.playback")
    return partial(parameters.bind(treat, f"{study}.playback", values, passed=PASSED), **told)


def decide(model: Path, device: str, waveforms: list[np.ndarray]) -> tuple[list[str], list[float]]:
    """What the model in a folder decides on each waveform (samples,), and how sure it is, 0 to 1.

    Raises:
        UserError: there is no such model.
    """
    import torch

    from stages.victim import padded_batch

    victim, front_end = _opened(model.resolve(), device)
    inputs = padded_batch(waveforms, device)
    with torch.no_grad():
        if front_end is not None:
            (image,) = victim.module.takes
            inputs = {image: front_end(inputs["audio"], inputs["audio_length"])}
        label, confidence = victim.decide(victim.module.prepare(inputs))
    finite.check(confidence, model, "the confidence of decisions", do="train it again")
    return victim.names(label), confidence.tolist()


@functools.lru_cache(maxsize=8)  # a stage asks the same few again with each shard
def _opened(model: Path, device: str) -> tuple["Victim", "nn.Module | None"]:
    """The victim, and where it takes no sound the front end that makes its images."""
    from stages import victim

    made = victim.load(model, device=device)
    return made, None if "audio" in made.module.takes else victim.front_end_of(model).to(device)
