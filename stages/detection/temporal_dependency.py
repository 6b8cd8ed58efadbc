"""Room of detection: whether a recogniser hears in a clip's first part what it hears there of the whole clip.

Temporal dependency (Yang et al., ICLR 2019): an attack puts its phrase into the transcript of a whole clip, and what a
part of it says need not be the phrase's beginning.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from torch import Tensor

from stages import victim
from stages.frame.ctc import ctc
from stages.frame.parameters import Range
from stages.measures.transcripts import word_error_counts
from stages.victim import Inputs

Measure = Literal["words", "characters", "prefix"]


def detector(
    device: str, *, model: str, part: Annotated[float, Range(0, 1, above=True)], measure: Measure
) -> Callable[[Inputs], dict[str, Tensor]]:
    """Scores (clips,): the `agreement` of the transcripts of a clip's first `part` and of the clip.

    A transcript has no gradient. In its place stands that of the log probability that the part says all that the clip
    says (none where it has too few steps for that): attackers who know of the detector put their phrase into the part.

    Args:
        device: where the recogniser works.
        model: the folder of a trained recogniser of `audio` by CTC, the one that may be attacked.
        part: of a clip's samples.
        measure: see `agreement`.
    """
    recogniser = victim.load(model, device=device)

    def score(inputs: Inputs) -> dict[str, Tensor]:
        heard = recogniser.logits(inputs | {"audio_length": (inputs["audio_length"] * part).long()})
        with torch.no_grad():
            wholes = recogniser.names(recogniser.decide(inputs)[0])
            parts = recogniser.names(recogniser.decode(heard)[0])
        exact = [agreement(*texts, measure) for texts in zip(parts, wholes)]
        probable = -ctc(heard, recogniser.encode(wholes))
        return {"score": torch.tensor(exact).to(probable) + (probable - probable.detach())}

    return score


def agreement(part: str, whole: str, measure: Measure) -> float:
    """How well the transcript of a part is the beginning of that of the whole, 1 at most.

    `words` and `characters` (without spaces) are one less the error rate of the shorter transcript's n against the
    first n of the other. `prefix` is the longest common beginning in words, as a share of the longer transcript's. Two
    that say nothing agree; one that does agrees with none.
    """
    part_units, whole_units = (
        list(text.replace(" ", "")) if measure == "characters" else text.split() for text in (part, whole)
    )
    count = min(len(part_units), len(whole_units))
    if count == 0:
        return float(len(part_units) == len(whole_units))
    if measure == "prefix":
        common = next((place for place, pair in enumerate(zip(part_units, whole_units)) if pair[0] != pair[1]), count)
        return common / max(len(part_units), len(whole_units))
    errors = word_error_counts([" ".join(whole_units[:count])], [" ".join(part_units[:count])])[0, 0]
    return 1 - float(errors) / count
