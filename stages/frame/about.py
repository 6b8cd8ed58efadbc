"""Ground floor: what a set says of its arrays in `about.json`, and a model of itself in `config.json`, as schemas."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from stages.frame.parameters import Positive, Range, fits
from stages.frame.sound_files import RATES_HZ


class Interval:
    """A check of two numbers, for annotations: the lower, then the higher."""

    def holds(self, limits: list[float]) -> bool:
        """Whether they are."""
        return len(limits) == 2 and limits[0] < limits[1]

    def __str__(self) -> str:
        return "that are a lower and a higher one"


class Distinct:
    """A check of texts, for annotations: no two the same."""

    def holds(self, texts: list[str]) -> bool:
        """Whether they are."""
        return len(set(texts)) == len(texts)

    def __str__(self) -> str:
        return "that differ"


@dataclass(frozen=True, eq=False)
class Entries:
    """A check of a mapping, for annotations: its entries fit theirs."""

    hints: dict[str, Any]

    def holds(self, values: dict[str, Any]) -> bool:
        """Whether they do."""
        return all(fits(values.get(name), hint) for name, hint in self.hints.items())

    def __str__(self) -> str:
        return f"with {' and '.join(self.hints)}"


# The range of each input that can be perturbed, null for none.
BOUNDS = dict[str, Annotated[list[float], Interval()] | None]
# What the network is told of its inputs is in `signal`, the smallest step of each as a file in `quantum`.
SET = {
    "signal": dict[str, Annotated[float, Range(0, 1e6, above=True)]],
    "bounds": BOUNDS,
    "quantum": dict[str, Positive],
    "front_end": Annotated[dict[str, Any], Entries({"feature": str, "parameters": dict[str, Any]})],
}
MODEL = SET | {
    "network": str,
    "parameters": dict[str, Any],
    "labels": Annotated[list[str], Distinct()],
    "decides": Literal["label", "text"],
    "attacked_on": Literal["logits", "probabilities"],
}
PRETRAINED = {"network": str, "parameters": dict[str, Any], "sample_rate_hz": Annotated[int, RATES_HZ]}
