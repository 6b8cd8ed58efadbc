"""Room of training: what params.yaml says of a victim."""

from dataclasses import dataclass, field
from typing import Any, Literal

from stages.frame.parameters import Name


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of a study's `victims`, or of `finished`.

    Args:
        inputs: the set of clips that the network takes in.
        network: the file in `stages/networks`.
        method: the file in `stages/training`.
        recipe: the study's entry in `recipes`, null for what `training` says alone.
        beside: another set of the same clips that the method may read; `inputs` where there is none.
        parameters: of the network; where the victim starts from another one, that one's hold.
        training: what differs from the recipe.
        attacked_on: what attacks take margins of.
        starts_from: the victim that is trained further, null for none.
        against: the victim whose attackers it is trained against, null for none.
    """

    inputs: Name
    network: str
    method: str
    recipe: str | None = None
    beside: Name | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    attacked_on: Literal["logits", "probabilities"] = "logits"
    starts_from: Name | None = None
    against: Name | None = None
