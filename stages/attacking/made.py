"""Room of attacking: what an attack makes of clips, as files hold it, decided on again and measured."""

import functools
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from stages.attacking.problem import Result, Setting, rounded, taken
from stages.frame import finite, pcm
from stages.frame.errors import UserError
from stages.frame.shards import Arrays
from stages.measures.perturbation import relative_loudness_db, snr_db
from stages.victim import Goal, Inputs, Victim, padded_batch

# What of a plan is for this room alone.
OF_PLANS = ["folder", "strength", "kept"]


def attacked(
    rows: pd.DataFrame,
    clips: list[Arrays],
    victim: Victim,
    run: Callable[..., Result],
    setting: Setting,
) -> tuple[pd.DataFrame, list[Arrays]]:
    """The table and the arrays of clips attacked by one attack at one epsilon.

    `success` is whether what the file holds meets the goal, `found` what the attack itself says, `impossible` whether
    nothing could meet it, in which case nothing is tried; the sizes are those of the difference between both files, and
    the passes those of the attack alone.

    Args:
        rows: of a plan, one batch.
        clips: the arrays of each row's clip, as the victim takes them.
        victim: the model.
        run: the attack with its own parameters.
        setting: what it is told besides.
    """
    inputs = _inputs(clips, victim, setting.quantum)
    wanted = rows.target.where(rows.target != "", rows.label.where(rows.label != "", rows.text))
    goal = Goal(victim.encode(list(wanted)), targeted=bool((rows.target != "").all()))
    clean_label, clean_confidence, _ = _decided(victim, inputs, goal, rows)
    possible = victim.possible(inputs, goal).cpu()
    result = _of_possible(victim, inputs, goal, possible, functools.partial(run, setting=setting))
    adversarial = rounded(result.adversarial, setting.quantum)
    label, confidence, success = _decided(victim, adversarial, goal, rows)
    table = rows.drop(columns=OF_PLANS).assign(
        clean_prediction=victim.names(clean_label),
        clean_confidence=clean_confidence.tolist(),
        adversarial_prediction=victim.names(label),
        confidence=confidence.tolist(),
        found=result.success.tolist(),
        success=success.tolist(),
        impossible=(~possible).tolist(),
        zero_gradient=result.zero_gradient.tolist(),
        iterations=result.iterations.tolist(),
        forwards=result.forwards.tolist(),
        backwards=result.backwards.tolist(),
    )
    lengths = {name: [len(arrays[name]) for arrays in clips] for name in victim.bounds}
    perturbed = {name: _cut(adversarial[name], lengths[name]) for name in victim.bounds}
    for name, ones in perturbed.items():
        table = table.assign(**_sizes(name, _cut(inputs[name], lengths[name]), ones))
    arrays = [
        pcm.to_file({name: ones[row] for name, ones in perturbed.items()}, setting.quantum or {}) if kept else {}
        for row, kept in enumerate(rows.kept)
    ]
    return table.assign(kept=rows.kept), arrays


def scaled(
    strength: float | dict[str, float] | None, unit: dict[str, float], bounds: dict[str, tuple]
) -> dict[str, float] | None:
    """The epsilon of each input that is perturbed, in that input's own scale; a bare number is the only input's.

    Raises:
        UserError: an input that the victim does not take.
    """
    if strength is None:
        return None
    if not isinstance(strength, dict):
        if len(bounds) > 1:
            raise UserError(
                "params.yaml: an epsilon", f"one for each of {', '.join(bounds)}", f"{strength:g}", "name the inputs"
            )
        strength = dict.fromkeys(bounds, strength)
    unknown = sorted((strength.keys() | unit.keys()) - bounds.keys())
    if unknown:
        raise UserError(
            "params.yaml: epsilon and unit of a plan or an attack",
            f"inputs {', '.join(bounds)}",
            repr(unknown[0]),
            "correct the name",
        )
    return {name: size * unit.get(name, 1.0) for name, size in strength.items()}


def _inputs(clips: list[Arrays], victim: Victim, quantum: dict[str, float] | None) -> Inputs:
    """The batch that is attacked: clips as their files hold them."""
    raw = [padded_batch([arrays[taken] for arrays in clips], victim.device, taken) for taken in victim.module.takes]
    return rounded(victim.module.prepare({key: value for one in raw for key, value in one.items()}), quantum)


def _of_possible(victim: Victim, inputs: Inputs, goal: Goal, possible: Tensor, run: Callable[..., Result]) -> Result:
    """The attack on the examples whose goal is `possible` (examples,); the others stay as they are.

    In their place it is given a copy of one, so that the batch keeps its shape.
    """
    if possible.all():
        return run(victim, inputs, goal)
    none = torch.zeros(len(possible), dtype=torch.long)
    untried = Result(inputs, none.bool(), none, none, none, none.bool())
    if not possible.any():
        return untried
    rows = torch.where(possible, torch.arange(len(possible)), possible.nonzero()[0])
    tried = run(victim, taken(inputs, rows), Goal(goal.labels[rows.to(goal.labels.device)], goal.targeted))

    def picked(before: Tensor, after: Tensor) -> Tensor:
        here = possible.to(after.device).view(-1, *[1] * (after.dim() - 1))
        return torch.where(here, after, before.to(after.device))

    adversarial = {name: picked(value, tried.adversarial[name]) for name, value in inputs.items()}
    counts = {one.name: picked(getattr(untried, one.name), getattr(tried, one.name)) for one in fields(Result)[1:]}
    return Result(adversarial, **counts)


@torch.no_grad()
def _decided(victim: Victim, inputs: Inputs, goal: Goal, rows: pd.DataFrame) -> tuple[Tensor, Tensor, Tensor]:
    """Decisions, their confidence, and whether they meet the goal.

    Raises:
        UserError: the victim's outputs are not numbers.
    """
    logits = victim.logits(inputs)
    for key, own in zip(rows.key, logits):
        finite.check(own, key, "what the victim makes of it", do="train the victim again")
    label, confidence = victim.decode(logits, inputs)
    return label, confidence, victim.meets(logits, goal)


def _cut(batch: Tensor, lengths: list[int]) -> list[np.ndarray]:
    """Each example as an array without what pads it."""
    return [example[:length] for example, length in zip(batch.cpu().numpy(), lengths)]


def _sizes(name: str, clean: list[np.ndarray], perturbed: list[np.ndarray]) -> dict[str, list[float]]:
    """How large the perturbation of one input is, by several measures."""
    deltas = [after - before for after, before in zip(perturbed, clean)]
    sizes = {
        f"l2_{name}": [float(np.square(delta, dtype="f8").sum() ** 0.5) for delta in deltas],
        f"linf_{name}": [float(np.abs(delta).max()) for delta in deltas],
    }
    if name == "audio":
        sizes = {
            "snr_db": [snr_db(*pair) for pair in zip(clean, deltas)],
            "relative_loudness_db": [relative_loudness_db(*pair) for pair in zip(clean, deltas)],
        } | sizes
    return sizes
