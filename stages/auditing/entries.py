"""Room of auditing: an audit in params.yaml: `classifiers`, `guarded`, `grids`, `attacks`, `combinations`."""

from dataclasses import dataclass, field
from typing import Any, Literal

from stages.frame.parameters import Count, Name, Positive

# Noise as loud as the budget; made on the bare victim; made through the defence.
Knowledge = Literal["none", "unaware", "aware"]


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """An entry of `<study>.classifiers.<study of the victim>`.

    Attributes:
        victims: the model, below `models/<study>`; members of a family where each is judged on other clips.
        network: what all of them are, so that a stage depends on that file alone.
        grid: an entry of `<study>.grids`.
        inputs, beside: the set that is attacked, and another one that victims take something from.
        front_end: the file in `stages/features` through which the victims hear waveforms, where they do.
        trained: models below `models/<study>` that are defended by how they were trained, by the defence's name; who
            does not know of it attacks the victim in their place. Where there are none, the grid's treatments defend.
    """

    victims: list[Name]
    network: str
    grid: str
    inputs: Name = "audio"
    beside: Name | None = None
    front_end: str | None = None
    trained: dict[str, Name] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """An entry of `<study>.grids`: what victims of one kind are audited with.

    Attributes:
        attacks: entries of `<study>.attacks`, such as `sound.noise`, called by their last part in the table.
        budgets: how much an attacker may change, loudest last.
        budget_in: what a budget is: an SNR in dB, or the most that a value changes, in the network's scale.
        unlimited: a budget at which an attack that works succeeds always.
        clips_per_label: test clips of each label that the bare victim decides rightly, from each model's own.
        batch_size: clips that are attacked together.
        treatments: entries of `treatments` of the victim's study or the audit, or of the audit's `combinations`.
        draws: how often an aware attacker draws a treatment of chance at each look.
        hearings: how often what is made is treated and decided on, by draws that no attacker has seen.
    """

    attacks: list[str]
    budgets: list[float]
    budget_in: Literal["snr_db", "epsilon"]
    unlimited: float
    clips_per_label: Count
    batch_size: Count
    treatments: list[str] = field(default_factory=list)
    draws: Count = 1
    hearings: Count = 1


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An entry of `<study>.attacks`.

    Attributes:
        attack: the file in `stages/attacks`, and its `parameters`; `steps` of them are doubled where an attacker who
            knows of the defence gains nothing by it.
        knowledge: what who uses it may know of the defence.
        access: what it asks of the victim; by scores alone those clips are attacked that gradients do not bring down.
        continues: whether it can go on from an example that it is given as its `start`.
        smallest: whether it searches for the smallest perturbation, which is told at each budget.
    """

    attack: str
    knowledge: list[Knowledge]
    access: Literal["none", "scores", "gradient"]
    parameters: dict[str, Any] = field(default_factory=dict)
    continues: bool = False
    smallest: bool = False


@dataclass(frozen=True, kw_only=True)
class Combination:
    """An entry of `<study>.combinations`: treatments one after another, or one of them by chance at each hearing.

    `draws` is how often an aware attacker draws it at each look, None as often as the grid says.
    """

    how: Literal["one_after_another", "by_chance"]
    treatments: list[str]
    draws: Count | None = None


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """An entry of `<study>.guarded.<study of the victim>`.

    Attributes:
        victim: the model, below `models/<study of the victim>`.
        network: what it is, so that a stage depends on that file alone.
        inputs: the set that is attacked.
        treatments, detectors: the guards, entries of the victim's study or of the audit.
        unaware, aware: entries of `<study>.attacks`, of who does not know of the guard and of who does.
        clips: so many test clips, of as many speakers as there are; of labels those that the victim decides rightly.
        calibrated_on: so many validation clips, by which detectors' thresholds are set.
        targets: phrases, dealt to the clips in turn; none for away from their labels, or from what is said in them.
        unit: what epsilons and steps are counted in, of each input.
        batch_size: clips that are attacked together.
        draws: how often an attacker draws a treatment of chance at each look.
    """

    victim: Name
    network: str
    inputs: Name
    unaware: str
    aware: str
    clips: Count
    batch_size: Count
    calibrated_on: Count = 1
    treatments: list[str] = field(default_factory=list)
    detectors: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    unit: dict[str, Positive] = field(default_factory=dict)
    draws: Count = 1
