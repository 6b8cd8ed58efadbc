"""Room of attacks: random search in L2 (after Square Attack; Andriushchenko et al. 2020), on sound, by scores alone."""

import numpy as np
import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result, Setting
from stages.attacks.cw_normalised import unit
from stages.attacks.pgd_l2 import Sphere
from stages.attacks.random_search import search, shares
from stages.frame.parameters import Count, NonNegative, Share
from stages.victim import Goal, Inputs, Victim


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    snr_db: float,
    steps: Count,
    share: Share,
    confidence: NonNegative,
) -> Result:
    """Bursts of noise that are added where that lowers the margin, the whole being kept at `snr_db`.

    It begins with noise. Noise and bursts are the same for every example, at the same share of its length, so that
    nothing depends on its batch.

    Args:
        victim, inputs, goal, setting: as for every attack.
        snr_db: of the perturbation.
        steps: bursts that are tried.
        share: of the clip that the first ones last.
        confidence: margin beyond the goal from which on an example is left alone.
    """
    problem = Problem(victim, inputs, goal, {"audio": setting.bounds["audio"]}, setting.quantum)
    sphere, sizes = Sphere(problem, snr_db), shares(share, steps)
    lengths = sphere.inside.sum(1)

    def burst(number: int, begin: float, size: float, rows: Tensor) -> Tensor:
        """Noise (rows, values) of a norm in proportion to the square root of its duration."""
        place = torch.arange(problem.clean.shape[1], device=problem.clean.device) / lengths[rows][:, None]
        noise = np.random.default_rng(number).standard_normal(problem.clean.shape[1])
        own = torch.from_numpy(noise).to(problem.clean) * (place >= begin) * (place < begin + size)
        return size**0.5 * sphere.radius[rows] * unit(own)

    def propose(x: Tensor, rows: Tensor, number: int) -> Tensor:
        begin = np.random.default_rng(number).uniform(0, 1 - sizes[number])
        return sphere.at(x - problem.clean[rows] + burst(number, begin, sizes[number], rows), rows)

    first = sphere.at(burst(steps, 0.0, 1.0, problem.examples), problem.examples)
    return search(problem, first, propose, steps=steps, confidence=confidence)
