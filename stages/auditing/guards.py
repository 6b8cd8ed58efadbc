"""Room of auditing: a treatment before a victim or a detector beside it, as one that guards it."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from stages.attacking.problem import Result, taken
from stages.auditing import defences, perturbations
from stages.auditing.watched import Score, Watched
from stages.auditing.ways import Way
from stages.frame.pcm import to_pcm16
from stages.frame.shards import Arrays
from stages.victim import Goal, Inputs, Victim

# Of benign validation clips a detector refuses this share, none where they are too few for one of them.
FALSE_ALARMS = 0.01


@dataclass(frozen=True, eq=False)
class Guard:
    """What stands between an attacker and a decision.

    Attributes:
        aimed: makes what an attacker attacks who knows of it: of a detector, the victim and a score as benign clips'
            typically have.
        again: the same for clips where that fails: of a detector, a score that is just not refused.
        decide: what is decided of each of the inputs, which are as files hold them, by the draw of its seed.
        score: a detector's scores (clips,), None for a treatment.
        heard: of a treatment, the waveforms that are decided on by the same draws; None for a detector.
        threshold: from which score on a clip is not refused.
    """

    aimed: Callable[[], Victim]
    again: Callable[[], Victim]
    decide: Callable[[Inputs, list[int]], Tensor]
    score: Callable[[Inputs], Tensor] | None = None
    heard: Callable[[Inputs, list[int]], list[np.ndarray]] | None = None
    threshold: float = math.nan


def treatment(bare: Victim, way: Way, *, draws: int) -> Guard:
    """The victim behind a treatment, see `defences.treated`."""
    defence = defences.treated(bare, way, draws=draws)
    return Guard(defence.aimed, defence.aimed, defence.decide, heard=defence.heard)


def detector(bare: Victim, score: Score, benign: Iterable[tuple[Inputs, Goal]]) -> Guard:
    """The victim with a detector beside it, whose threshold and spreads are those of validation clips.

    Args:
        bare: the victim.
        score: the detector.
        benign: batches of these clips, each with the goal away from what it is, of which a margin is taken.
    """
    scores, margins = [], []
    with torch.no_grad():
        for inputs, goal in benign:
            scores += score(inputs)["score"].tolist()
            margins += bare.margin(bare.logits(inputs), goal).tolist() if goal.labels.dim() == 1 else []
    counted = np.sort(np.array(scores)[~np.isnan(scores)])
    spread = float(counted.std()) or 1.0
    # A little lower, so that rounding refuses none of those that are kept.
    threshold = float(counted[int(FALSE_ALARMS * len(counted))]) - 1e-3 * spread
    spreads = {"spread": spread, "margin_spread": float(np.std(margins)) if margins else 1.0}
    typical, least = (Watched(bare, score, threshold=aim, **spreads) for aim in (float(np.median(counted)), threshold))

    def decide(inputs: Inputs, seeds: list[int]) -> Tensor:
        with torch.no_grad():
            return bare.decide(inputs)[0]

    def told(inputs: Inputs) -> Tensor:
        with torch.no_grad():
            return score(inputs)["score"]

    return Guard(lambda: typical, lambda: least, decide, score=told, threshold=threshold)


def better(guarded: Victim, goal: Goal, aware: Result, unaware: Result) -> Result:
    """What is made knowing of the guard, or where only that works what is made without; `success` is what works."""
    with torch.no_grad():
        works, instead = (guarded.meets(guarded.logits(one.adversarial), goal) for one in (aware, unaware))
    adversarial = dict(aware.adversarial)
    for name in guarded.bounds:
        kept = (instead & ~works).view(-1, *[1] * (adversarial[name].dim() - 1))
        adversarial[name] = torch.where(kept, unaware.adversarial[name], adversarial[name])
    return replace(aware, adversarial=adversarial, success=works | instead)


def kept(guard: Guard, chosen: pd.Series, inputs: Inputs, names: list[str], seeds: list[int]) -> list[Arrays]:
    """The inputs called `names` of each clip, none of those not chosen, and what is heard behind a treatment.

    Sounds are as files of 16 bits hold them, pictures grey levels.
    """
    arrays: list[Arrays] = [{} for _ in range(len(chosen))]
    for number in np.flatnonzero(chosen):
        own = taken(inputs, torch.tensor([number]))
        heard = {} if guard.heard is None else {"heard": guard.heard(own, seeds[number : number + 1])[0]}
        made = perturbations.of_each(own, names)[0] | heard
        arrays[number] = {name: one.astype("u1") if name == "video" else to_pcm16(one) for name, one in made.items()}
    return arrays
