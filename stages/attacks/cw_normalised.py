"""Room of attacks: Carlini and Wagner's L2 objective, minimised by normalised gradient steps from an adversarial start.

Not the original optimiser (that is `cw`): Adam's first steps are far larger than the perturbations that
audio needs, and 10 000 passes go into coming back. Here each step has a length in proportion to the start's distance
and shrinks by a cosine, and c starts from the slope of the margin there. The hinge is an exact penalty, so c matters
only while it is too small, and is raised tenfold then.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result, Setting, linear_start, norm, shorten
from stages.frame.parameters import Count, NonNegative, Positive, Share
from stages.victim import Goal, Inputs, Victim

MOMENTUM, GAIN, BISECTIONS = 0.8, 1e-3, 5


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    iterations: Count,
    searches: Count,
    confidence: NonNegative,
    step: Positive,
    last_step: Share,
    penalty: Positive,
) -> Result:
    """Minimises |d|² + c max(0, margin + confidence) for each example, `searches` times with another c.

    Args:
        victim, inputs, goal, setting: as for every attack.
        iterations: steps for each c.
        searches: values of c that are tried; 1 is enough where the start was good.
        confidence: margin by which the goal must be reached.
        step: length of the first step, as a share of the start's distance.
        last_step: length of the last one, as a share of the first.
        penalty: the first c, in units of 2|d|/|gradient of the margin| at the start.
    """
    problem = Problem(victim, inputs, goal, setting.bounds, setting.quantum)
    best, slope, found = linear_start(problem, confidence=confidence)
    rows = problem.examples[found.cpu()]
    if len(rows) == 0:
        return problem.smallest(best, found)
    clean, slope, best_rows = problem.clean[found], slope[found], best[found]
    distance = norm(best_rows - clean)
    c = penalty * 2 * distance / slope.clamp_min(1e-30)
    low, high = torch.zeros_like(c), torch.full_like(c, torch.inf)
    for _ in range(searches):
        steps = _Steps(step * distance, last_step, iterations, confidence)
        shorter = _descend(problem, rows, best_rows, c, steps)
        now = norm(shorter - clean)
        improved = now < (1 - GAIN) * distance
        best_rows = torch.where((now < distance)[:, None], shorter, best_rows)
        distance = torch.minimum(distance, now)
        low, high = torch.where(improved, low, c), torch.where(improved, c, high)
        c = torch.where(high.isinf(), c * 10, torch.where(low > 0, (low * high).sqrt(), c / 10))
    best[found] = shorten(problem, best_rows, rows, shortest=0.8, bisections=BISECTIONS, confidence=confidence)
    return problem.smallest(best, found)


@dataclass(frozen=True)
class _Steps:
    """How a search goes down: the first steps' lengths (rows,), the last one's share of them, how many, what margin."""

    lengths: Tensor
    last_step: float
    iterations: int
    confidence: float

    def at(self, iteration: int) -> Tensor:
        """The lengths (rows, 1) at an iteration, falling by a cosine."""
        fallen = 0.5 * (1 + math.cos(math.pi * iteration / self.iterations))
        return (self.lengths * (self.last_step + (1 - self.last_step) * fallen))[:, None]


def _descend(problem: Problem, rows: Tensor, start: Tensor, c: Tensor, steps: _Steps) -> Tensor:
    """The shortest adversarial point on the way down from `start` (rows, values)."""
    clean = problem.clean[rows.to(start.device)]
    x, best, distance = start.clone(), start.clone(), norm(start - clean)
    momentum = torch.zeros_like(x)
    for iteration in range(steps.iterations):
        margin, gradient = problem.margin_and_gradient(x, rows)
        margin = margin + steps.confidence
        shorter = (margin < 0) & (norm(x - clean) < distance)
        best = torch.where(shorter[:, None], x, best)
        distance = torch.where(shorter, norm(x - clean), distance)
        direction = 2 * (x - clean) + (c * (margin >= 0))[:, None] * gradient
        momentum = MOMENTUM * momentum + (1 - MOMENTUM) * direction / norm(direction).clamp_min(1e-30)[:, None]
        corrected = momentum / (1 - MOMENTUM ** (iteration + 1))
        x = problem.clamp(x - steps.at(iteration) * corrected)
    problem.iterations[rows] += steps.iterations
    shorter = (problem.margin(x, rows) + steps.confidence < 0) & (norm(x - clean) < distance)
    return torch.where(shorter[:, None], x, best)
