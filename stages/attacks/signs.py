"""Room of attacks: random signs, the noise that knows nothing of the victim and is as loud as a bound on values."""

import numpy as np
import torch

from stages.attacking.problem import Problem, Result, Setting, radii
from stages.victim import Goal, Inputs, Victim


def attack(victim: Victim, inputs: Inputs, goal: Goal, *, setting: Setting) -> Result:
    """Every value moved by its epsilon, up or down by chance, the same way in every example."""
    epsilon = setting.needed("epsilon", "signs")
    problem = Problem(victim, inputs, goal, {name: setting.bounds[name] for name in epsilon}, setting.quantum)
    drawn = [np.random.default_rng(0).choice([-1.0, 1.0], size) for size in problem.sizes]
    signs = torch.from_numpy(np.concatenate(drawn)).to(problem.clean)
    return problem.result(problem.clamp(problem.clean + signs * radii(problem, epsilon)))
