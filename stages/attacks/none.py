"""Room of attacks: no attack, the control that every defence is also measured on."""

import torch

from stages.attacking.problem import Result, Setting
from stages.victim import Goal, Inputs, Victim


def attack(victim: Victim, inputs: Inputs, goal: Goal, *, setting: Setting) -> Result:
    """The clean inputs; never a success."""
    none = torch.zeros(len(goal.labels), dtype=torch.long)
    return Result(inputs, none.bool(), none, none, none, none.bool())
