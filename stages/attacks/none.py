"""Room of attacks: no attack, the control that every defence is also measured on."""

import torch

from stages.attacks.problem import Result
from stages.victim import Bounds, Goal, Inputs, Victim


def attack(victim: Victim, inputs: Inputs, goal: Goal, *, bounds: Bounds) -> Result:
    """The clean inputs; never a success."""
    none = torch.zeros(len(goal.labels), dtype=torch.long)
    return Result(inputs, none.bool(), none, none, none)
