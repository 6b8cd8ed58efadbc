"""Room of auditing: what stands in for the names of a table: of what kind each is, and what it is made of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages import victim as models
from stages.auditing.ways import Way

Card = dict[str, str]
# What a model has from its makers, such as a tokenizer, is longer, and stands in its folder alone.
LONGEST = 100


def of_victim(folder: str | Path) -> Card:
    """The card of a model, called as its family is."""
    config = models.config_of(Path(folder))
    told = {name: value for name, value in config["parameters"].items() if len(str(value)) <= LONGEST}
    return _card("victim", Path(folder).parts[2], spelled(config["network"], told))


def of_ways(ways: dict[str, Way]) -> Iterator[Card]:
    """The cards of treatments, and of what they are combined to."""
    for name, way in ways.items():
        parts = "; ".join(spelled(one.treatment, _given(one)) for one in way.given)
        yield _card("treatment", name, parts if way.how == "alone" else f"{way.how.replace('_', ' ')}: {parts}")


def of_trainings(study: str, trained: dict[str, str]) -> Iterator[Card]:
    """The cards of trainings, by the models that have them."""
    for name, model in trained.items():
        yield _card("training", name, f"models/{study}/{model}")


def of_detectors(given: dict[str, Any]) -> Iterator[Card]:
    """The cards of detectors, by their entries."""
    for name, one in given.items():
        yield _card("detector", name, spelled(one.detector, _given(one)))


def spelled(file: str, parameters: dict[str, Any]) -> str:
    """What is called so in the code, and with what, such as `mp3 (bitrate_kbps 48)`."""
    told = ", ".join(f"{name} {value}" for name, value in parameters.items())
    return f"{file} ({told})" if told else file


def _given(entry: Any) -> dict[str, Any]:
    return ({"model": entry.model} if entry.model else {}) | entry.parameters


def _card(kind: str, name: str, made_of: str) -> Card:
    return {"kind": kind, "name": name, "made_of": made_of}
