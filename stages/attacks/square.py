"""Room of attacks: Square Attack in L-infinity (Andriushchenko et al. 2020), on images, by scores alone."""

import math

import numpy as np
import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result, Setting, per_value
from stages.attacks.random_search import search, shares
from stages.frame.parameters import Count, NonNegative, Share
from stages.victim import Goal, Inputs, Victim


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    steps: Count,
    share: Share,
    confidence: NonNegative,
) -> Result:
    """Squares in which every value is at its epsilon, up or down, put where that lowers the margin.

    It begins with stripes along the first side. The squares are the same for every example, whatever batch it is in.

    Args:
        victim, inputs, goal, setting: as for every attack; `epsilon` is needed, of one input (examples, side, side).
        steps: squares that are tried.
        share: of the image that the first ones cover.
        confidence: margin beyond the goal from which on an example is left alone.
    """
    epsilon = setting.needed("epsilon", "square")
    problem = Problem(victim, inputs, goal, {name: setting.bounds[name] for name in epsilon}, setting.quantum)
    (rows, columns), radius = problem.shapes[0], per_value(problem, epsilon)
    sizes = shares(share, steps)

    def propose(x: Tensor, which: Tensor, number: int) -> Tensor:
        rng = np.random.default_rng(number)
        side = [max(1, min(length, round(math.sqrt(sizes[number]) * length))) for length in (rows, columns)]
        top, left = (int(rng.integers(length - own + 1)) for length, own in zip((rows, columns), side))
        square = torch.zeros(rows, columns)
        square[top : top + side[0], left : left + side[1]] = float(rng.choice([-1, 1]))
        square = square.flatten().to(x)
        clean = problem.clean[which.to(x.device)]
        return problem.clamp(torch.where(square != 0, clean + square * radius, x))

    stripes = torch.from_numpy(np.random.default_rng(steps).choice([-1.0, 1.0], columns)).expand(rows, columns)
    first = problem.clamp(problem.clean + stripes.flatten().to(problem.clean) * radius)
    return search(problem, first, propose, steps=steps, confidence=confidence)
