"""Room of attacks: projected gradient descent on the victim's loss within a bound that is an SNR.

So Olivier & Raj (2023) attack Whisper untargeted: lowered is the log probability of the true text, whatever is written
instead.
"""

import torch

from stages.attacking.problem import Problem, Result, Setting, norm
from stages.attacks.cw_normalised import unit
from stages.attacks.pgd_l2 import Sphere
from stages.frame.parameters import Count, Positive
from stages.victim import Goal, Inputs, Victim


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    start: Inputs | None = None,
    snr_db: float,
    steps: Count,
    relative_step: Positive,
) -> Result:
    """Steps down the gradient from the clean input or a `start`, each followed by a projection to the ball of the SNR.

    Returned is the point of the lowest loss, brought to the ball's surface. A step costs a forward and a backward pass.

    Args:
        victim, inputs, goal, setting: as for every attack.
        snr_db: of the perturbation.
        steps: so many.
        relative_step: length of a step, as a share of the ball's radius.
    """
    problem = Problem(victim, inputs, goal, {"audio": setting.bounds["audio"]}, setting.quantum)
    sphere, rows, clean = Sphere(problem, snr_db), problem.examples, problem.clean
    x = best = clean if start is None else start["audio"].flatten(1)
    lowest = torch.full_like(clean[:, 0], torch.inf)
    for _ in range(steps):
        loss, gradient, _ = problem.loss_and_gradient(x, rows)
        better = loss < lowest
        best, lowest = torch.where(better[:, None], x, best), torch.where(better, loss, lowest)
        delta = x - clean - relative_step * sphere.radius * unit(gradient)
        x = problem.clamp(clean + delta * (sphere.radius / norm(delta)[:, None].clamp_min(1e-30)).clamp_max(1))
        problem.iterations += 1
    with torch.no_grad():
        last = victim.loss(problem.logits(x, rows), goal)
    best = torch.where((last < lowest)[:, None], x, best)
    return problem.result(sphere.at(best - clean, rows))
