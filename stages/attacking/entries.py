"""Room of attacking: what params.yaml says of adversarial sets, in the sections `attacked`, `attacks` and `plans`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stages.frame import parameters
from stages.frame.modules import find
from stages.frame.parameters import Count, Name, NonNegative, Positive
from stages.frame.sound_files import LONGEST_RESPONSE_S


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """An entry of `<study>.attacked`; what it carries as `attack` is one of `<study>.attacks` by now, see `with_own`.

    Attributes:
        victims: models or families of models of the study.
        network: what all of them must be, so that a stage depends on that file alone.
        attacks: entries of `<study>.attacks`, such as `gradient.direct`, called by their last part in the table.
        plan: an entry of `<study>.plans`.
        inputs, beside: the set that is attacked, and another one that victims take something from.
        front_end: the file in `stages/features` through which the victims hear waveforms, where they do.
        through: an entry of `<study>.treatments` that stands in front of the victims; the attacker knows of it.
        draws: how often the attacker draws that treatment at each look, where it is a matter of chance.
    """

    victims: list[Name]
    network: str
    attacks: list[str]
    plan: str
    inputs: Name = "audio"
    beside: Name | None = None
    front_end: str | None = None
    through: str | None = None
    draws: Count = 1


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An entry of `<study>.attacks`.

    Attributes:
        attack: the file in `stages/attacks`, and its `parameters`.
        clips: of those that the plan `phrases` attacks, the first so many; None all. The plan `judged` takes so many
            test clips of each label, and keeps none.
        epsilon: in place of the plan's epsilons, for an attack that takes one.
    """

    attack: str
    parameters: dict[str, Any] = field(default_factory=dict)
    clips: Count | None = None
    epsilon: Positive | dict[str, Positive] | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an entry of `<study>.plans` has besides the parameters of its function in `stages/attacking/plans`.

    Attributes:
        plan: the function.
        batch_size: at most so many clips are attacked together; 1 where they differ in length, see `Result`.
        unit: what epsilons and steps are counted in, of each input (1/32768 for steps of 16 bits).
    """

    plan: str
    batch_size: Count
    unit: dict[str, Positive] | None = None


@dataclass(frozen=True, kw_only=True)
class Playback:
    """The section `<study>.playback`: in which rooms clips are played, how far above noise, and spoken phrases.

    `longest_s` is how long an impulse response may be.
    """

    impulse_responses: str
    noise_snr_db: NonNegative
    spoken_phrases: str
    longest_s: Positive = LONGEST_RESPONSE_S


def opened(study: str, dotted: str) -> tuple[Attack, Callable]:
    """An entry of the study's attacks, by its dotted name, and the attack with its own parameters.

    Raises:
        UserError: there is no such entry or no such attack, or it has other parameters.
    """
    where = f"{study}.attacks.{dotted}"
    given = parameters.entry(Attack, where)
    function = find("attacks", given.attack, "attack", where=f"{where}.attack")
    return given, parameters.bind(function, f"{where}.parameters", given.parameters, passed=("setting",))
