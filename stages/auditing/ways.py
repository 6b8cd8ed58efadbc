"""Room of auditing: a treatment as it happens and as it is aimed through, alone or combined with others."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.auditing.entries import Combination
from stages.frame import parameters
from stages.frame.clip_table import stable_hash
from stages.frame.modules import find
from stages.frame.treatment import Treatment

if TYPE_CHECKING:
    from torch import Tensor

Through = Callable[[dict[str, "Tensor"]], "Tensor"]


@dataclass(frozen=True)
class Way:
    """What clips go through: `treat(waveforms, seeds=...)`, and `through()`, the same for an attacker.

    For both see `stages.treatments`; each call of `through` begins its chance anew. `given` are the entries that it is
    made of, `how` and `draws` as in `Combination`.
    """

    treat: Callable[..., list[np.ndarray]]
    through: Callable[[], Through]
    given: tuple[Treatment, ...]
    how: str = "alone"
    draws: int | None = None


def way(study: str, name: str, audited_study: str, **told: Any) -> Way:
    """The entry `name` of the audited study's treatments, or of the treatments or combinations of the audit `study`.

    Args:
        study: in whose section the audit stands.
        name: of the entry.
        audited_study: whose victim is audited.
        told: `sample_rate_hz` and `device`.

    Raises:
        UserError: there is no such entry, it has wrong parameters, or no gradients pass it.
    """
    combinations = parameters.section(study).get("combinations", {})
    if name in combinations:
        given = parameters.entry(Combination, f"{study}.combinations.{name}")
        parts = [way(study, part, audited_study, **told) for part in given.treatments]
        combined = _chain(parts) if given.how == "one_after_another" else _choice(parts)
        return replace(combined, how=given.how, draws=given.draws)
    own = parameters.section(study).get("treatments", {})
    of = study if name in own else audited_study
    given = parameters.entry(Treatment, f"{of}.treatments.{name}")
    values = given.parameters | ({"model": str(Path("models", of, given.model))} if given.model else {})
    where = f"{of}.treatments.{name}"
    treat, through = (
        find("treatments", given.treatment, part, where=f"{where}.treatment") for part in ("treat", "through")
    )
    bound = parameters.bind(treat, f"{where}.parameters", values, passed=("sample_rate_hz", "seeds", "device"))
    return Way(partial(bound, **told), partial(through, **bound.keywords, **told), (given,))


def _chain(parts: list[Way]) -> Way:
    """All of them, one after another."""

    def treat(waveforms: list[np.ndarray], *, seeds: list[int]) -> list[np.ndarray]:
        for part in parts:
            waveforms = part.treat(waveforms, seeds=seeds)
        return waveforms

    def through() -> Through:
        ways = [part.through() for part in parts]

        def treated(inputs: dict[str, "Tensor"]) -> "Tensor":
            for one in ways:
                inputs = inputs | {"audio": one(inputs)}
            return inputs["audio"]

        return treated

    return Way(treat, through, tuple(one for part in parts for one in part.given))


def _choice(parts: list[Way]) -> Way:
    """One of them, drawn for each clip by its seed, and for attackers at each call."""

    def treat(waveforms: list[np.ndarray], *, seeds: list[int]) -> list[np.ndarray]:
        drawn = [stable_hash(f"choice {seed}") % len(parts) for seed in seeds]
        treated: dict[int, np.ndarray] = {}
        for number, part in enumerate(parts):
            own = [place for place, chosen in enumerate(drawn) if chosen == number]
            made = part.treat([waveforms[place] for place in own], seeds=[seeds[place] for place in own])
            treated |= dict(zip(own, made, strict=True))
        return [treated[place] for place in range(len(waveforms))]

    def through() -> Through:
        ways, calls = [part.through() for part in parts], itertools.count()
        return lambda inputs: ways[stable_hash(f"call {next(calls)}") % len(ways)](inputs)

    return Way(treat, through, tuple(one for part in parts for one in part.given))
