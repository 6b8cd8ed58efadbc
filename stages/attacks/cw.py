"""Room of attacks: Carlini and Wagner's L2 attack (S&P 2017) as published: Adam on a tanh variable, a search on c."""

import math

import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result, Setting
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegative, Positive
from stages.victim import Goal, Inputs, Victim

LARGEST_C = 1e10
BETAS, TINY = (0.9, 0.999), 1e-8
INSIDE = 1 - 1e-6


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    iterations: Count,
    searches: Count,
    confidence: NonNegative,
    learning_rate: Positive,
    initial_c: Positive,
) -> Result:
    """Minimises |d|² + c max(0, margin + confidence) over w, x = tanh(w) mapped to the bounds, in a binary search on c.

    A c is raised tenfold until an adversarial point is found, then the interval is halved. Within one c an example
    whose objective has not fallen by 0.01 % in a tenth of the iterations stops, each by itself.

    Raises:
        UserError: a bound is infinite, which tanh is not mapped to.
    """
    for name, limits in setting.bounds.items():
        if not all(map(math.isfinite, limits)):
            raise UserError("attack cw", f"finite bounds of {name}", "infinite ones", "use cw_normalised")
    problem = Problem(victim, inputs, goal, setting.bounds, setting.quantum)
    best = problem.clean.clone()
    distance = torch.full_like(best[:, 0], torch.inf)
    low, high = torch.zeros_like(distance), torch.full_like(distance, LARGEST_C)
    c = torch.full_like(distance, initial_c)
    for _ in range(searches):
        points, distances = _minimise(problem, c, iterations, confidence, learning_rate)
        found = distances.isfinite()
        shorter = distances < distance
        best = torch.where(shorter[:, None], points, best)
        distance = torch.minimum(distance, distances)
        low, high = torch.where(found, low, c), torch.where(found, c, high)
        c = torch.where(high < LARGEST_C, (low + high) / 2, c * 10)
    return problem.smallest(best, distance.isfinite())


def _minimise(
    problem: Problem, c: Tensor, iterations: int, confidence: float, learning_rate: float
) -> tuple[Tensor, Tensor]:
    """The shortest adversarial points for these c (examples, values), and their squares, infinite where none."""
    middle, half = (problem.low + problem.high) / 2, (problem.high - problem.low) / 2
    best, distance = problem.clean.clone(), torch.full_like(c, torch.inf)
    rows = problem.examples
    w = torch.atanh(INSIDE * (problem.clean - middle) / half)
    first, second = torch.zeros_like(w), torch.zeros_like(w)
    last = torch.full_like(c, torch.inf)
    patience = max(1, iterations // 10)
    for iteration in range(1, iterations + 1):
        here = rows.to(w.device)
        x = middle + half * torch.tanh(w)
        margin, slope = problem.margin_and_gradient(x, rows)
        hinge = margin + confidence
        d = x - problem.clean[here]
        squared = d.square().sum(1)
        shorter = (hinge < 0) & (squared < distance[here])
        best[here] = torch.where(shorter[:, None], x, best[here])
        distance[here] = torch.where(shorter, squared, distance[here])
        problem.iterations[rows] += 1
        gradient = (2 * d + (c[here] * (hinge > 0))[:, None] * slope) * (half - (x - middle).square() / half)
        first = BETAS[0] * first + (1 - BETAS[0]) * gradient
        second = BETAS[1] * second + (1 - BETAS[1]) * gradient.square()
        scale = (second / (1 - BETAS[1] ** iteration)).sqrt() + TINY
        w = w - learning_rate * first / (1 - BETAS[0] ** iteration) / scale
        if iteration % patience == 0:
            objective = squared + c[here] * hinge.clamp_min(0)
            going = (objective < 0.9999 * last[here]).nonzero()[:, 0]
            if len(going) == 0:
                break
            last[here] = objective
            if len(going) < len(rows):
                rows, w, first, second = rows[going.cpu()], w[going], first[going], second[going]
    return best, distance
