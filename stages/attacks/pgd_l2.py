"""Room of attacks: projected gradient descent in L2 (Madry et al. 2018) on sound, within a budget that is an SNR.

Its steps are those of `cw_normalised`: with momentum, and each value's gradient divided by its own root mean square so
far, since margins are thousands of times steeper in quiet moments than in loud ones. On 24 validation clips of the
built-in sounds at 35 dB that fools 10 where plain normalised steps fool 5, and twice the steps fool no more.
"""

import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result, Setting, norm, radii
from stages.attacks.cw_normalised import LEAST_DIVISOR, MOMENTUM, SQUARED_MOMENTUM, tangent, unit
from stages.frame.parameters import Count, NonNegative, Positive
from stages.victim import Goal, Inputs, Victim


class Sphere:
    """All perturbations of sound at `snr_db` that are silent after a clip's end.

    `inside` (examples, values) is 1 before a clip's end and 0 after it, `radius` (examples, 1) their L2 norm.
    """

    def __init__(self, problem: Problem, snr_db: float):
        self.problem, self.inside = problem, radii(problem, dict.fromkeys(problem.names, 1.0))
        self.radius = norm(problem.clean * self.inside)[:, None] * 10 ** (-snr_db / 20)

    def at(self, perturbation: Tensor, rows: Tensor) -> Tensor:
        """The examples `rows` with a perturbation in the direction of this one, clipped to the valid range."""
        return self.problem.clamp(self.problem.clean[rows] + self.radius[rows] * unit(perturbation * self.inside[rows]))


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    snr_db: float,
    start: Inputs | None = None,
    steps: Count,
    relative_step: Positive,
    confidence: NonNegative,
) -> Result:
    """Steps on the sphere of the budget, down the margin; of all points the best is kept.

    Without a `start` the first point is the clean input's linear one. Through a treatment of chance each look is
    another draw (expectation over transformation; Athalye et al. 2018). A step costs a forward and a backward pass, and
    the last point a forward one.

    Args:
        victim, inputs, goal, setting: as for every attack.
        snr_db: of the perturbation.
        start: perturbed inputs to begin at, by their direction.
        steps: at most.
        relative_step: length of a step, as a share of the perturbation's; it falls to a tenth in a straight line.
        confidence: margin beyond the goal from which on an example is left alone.
    """
    problem = Problem(victim, inputs, goal, {"audio": setting.bounds["audio"]}, setting.quantum)
    sphere, rows = Sphere(problem, snr_db), problem.examples
    if start is None:
        begin = -problem.margin_and_gradient(problem.clean, rows)[1]
    else:
        begin = start["audio"].flatten(1) - problem.clean
    x = sphere.at(begin, rows)
    best, lowest = x.clone(), torch.full_like(x[:, 0], torch.inf)
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    for number in range(steps + 1):
        margin, gradient_of = problem.margin_then_gradient(x[rows], rows)
        better = margin < lowest[rows]
        best[rows] = torch.where(better[:, None], x[rows], best[rows])
        lowest[rows] = torch.where(better, margin, lowest[rows])
        going = (lowest[rows] >= -confidence).nonzero()[:, 0].cpu()
        if len(going) == 0 or number == steps:
            break
        gradient, rows = gradient_of(going), rows[going]
        gradient = gradient * sphere.inside[rows]
        perturbation = x[rows] - problem.clean[rows]
        along = unit(tangent(gradient, perturbation))
        mean[rows] = MOMENTUM * mean[rows] + (1 - MOMENTUM) * along
        square[rows] = SQUARED_MOMENTUM * square[rows] + (1 - SQUARED_MOMENTUM) * along.square()
        divisor = (square[rows] / (1 - SQUARED_MOMENTUM ** (number + 1))).sqrt() + LEAST_DIVISOR
        length = relative_step * sphere.radius[rows] * (1 - 0.9 * number / steps)
        x[rows] = sphere.at(perturbation - length * unit(tangent(mean[rows] / divisor, perturbation)), rows)
        problem.iterations[rows] += 1
    return problem.result(best, lowest < 0)
