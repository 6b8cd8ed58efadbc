"""Room of attacks: the shortest perturbation in L2 that meets the goal (Carlini and Wagner's), by normalised steps.

Not their optimiser (that is `cw`): Adam's first steps are far larger than the perturbations that audio needs, and
10 000 passes go into coming back. Here the search decouples direction and norm (Rony et al., CVPR 2019): on a sphere
about the clean input it goes down the margin, and the sphere shrinks while the point is adversarial and grows while it
is not. Unlike theirs it begins at an adversarial point, its steps have a length in proportion to the perturbation's and
shrink by a cosine, and each value's gradient is divided by its own root mean square so far (Kingma and Ba, ICLR 2015),
since the margin is thousands of times steeper in quiet moments than in loud ones.
"""

import math

import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result, Setting, adversarial_start, norm, shorten
from stages.frame.parameters import Count, NonNegative, Positive, Share
from stages.victim import Goal, Inputs, Victim

MOMENTUM, SQUARED_MOMENTUM, LEAST_DIVISOR = 0.5, 0.99, 1e-4
LAST_RESIZE, BISECTIONS = 0.05, 5


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    iterations: Count,
    confidence: NonNegative,
    step: Positive,
    last_step: Share,
    resize: Share,
) -> Result:
    """Minimises |d| with margin + confidence < 0 for each example.

    Args:
        victim, inputs, goal, setting: as for every attack.
        iterations: steps of the one descent.
        confidence: margin by which the goal must be reached.
        step: length of the first step, as a share of the perturbation's.
        last_step: the same of the last one, as a share of the first.
        resize: by what share the sphere's radius changes first; falls like the steps, to `LAST_RESIZE` of it.
    """
    problem = Problem(victim, inputs, goal, setting.bounds, setting.quantum)
    best, found = adversarial_start(problem, problem.examples, confidence=confidence)
    rows = problem.examples[found.cpu()]
    if len(rows):
        lengths, resizes = (_falling(iterations, *ends) for ends in ((step, last_step), (resize, LAST_RESIZE)))
        shortest = _descend(problem, rows, best[found], confidence, list(zip(lengths, resizes)))
        best[found] = shorten(problem, shortest, rows, shortest=0.9, bisections=BISECTIONS, confidence=confidence)
    return problem.smallest(best, found)


def _falling(iterations: int, first: float, last: float) -> list[float]:
    """`iterations` values that fall from `first` to `last` times that by a cosine."""
    falls = (0.5 * (1 + math.cos(math.pi * number / iterations)) for number in range(iterations))
    return [first * (last + (1 - last) * fall) for fall in falls]


def _descend(
    problem: Problem, rows: Tensor, start: Tensor, confidence: float, steps: list[tuple[float, float]]
) -> Tensor:
    """The shortest adversarial point on the way from `start` (rows, values); `steps` are lengths and resizes."""
    clean = problem.clean[rows.to(start.device)]
    x, best, distance = start.clone(), start.clone(), norm(start - clean)
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    for number, (length, resize) in enumerate(steps, 1):
        margin, gradient = problem.margin_and_gradient(x, rows)
        perturbation = x - clean
        reached, radius = margin + confidence < 0, norm(perturbation)
        shorter = reached & (radius < distance)
        best = torch.where(shorter[:, None], x, best)
        distance = torch.where(shorter, radius, distance)
        along = unit(tangent(gradient, perturbation))
        mean = MOMENTUM * mean + (1 - MOMENTUM) * along
        square = SQUARED_MOMENTUM * square + (1 - SQUARED_MOMENTUM) * along.square()
        divisor = (square / (1 - SQUARED_MOMENTUM**number)).sqrt() + LEAST_DIVISOR
        moved = perturbation - length * radius[:, None] * unit(tangent(mean / divisor, perturbation))
        wanted = torch.where(reached, (1 - resize) * distance, (1 + resize) * radius)
        x = problem.clamp(clean + wanted[:, None] * unit(moved))
    problem.iterations[rows] += len(steps)
    shorter = (problem.margin(x, rows) + confidence < 0) & (norm(x - clean) < distance)
    return torch.where(shorter[:, None], x, best)


def unit(x: Tensor) -> Tensor:
    """Rows (rows, values) of norm 1 in the same direction; zero stays zero."""
    return x / norm(x).clamp_min(1e-30)[:, None]


def tangent(x: Tensor, radius: Tensor) -> Tensor:
    """What of `x` lies in the sphere through the ends of `radius` (rows, values)."""
    along = unit(radius)
    return x - (x * along).sum(1, keepdim=True) * along
