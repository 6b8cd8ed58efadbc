"""Room of attacks: the fast minimum-norm attack (Pintor et al., NeurIPS 2021) in L-infinity, by signed steps."""

import math

import torch

from stages.attacking.problem import Problem, Result, Setting, radii, shorten
from stages.frame.parameters import Count, Positive, Share
from stages.victim import Goal, Inputs, Victim

# What radius and steps change by at the end, as shares of what they do at first; and trials to shorten what is found.
LAST, BISECTIONS = 0.05, 5


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    steps: Count,
    relative_step: Positive,
    resize: Share,
) -> Result:
    """The smallest perturbation that meets the goal, in shares of each input's epsilon, the largest that may be.

    Signed steps down the margin, within a radius that shrinks where the goal is met and grows where it is not, at first
    from the distance of the linearised boundary. In the end what is found is moved towards the clean input as far as
    it holds. A step costs a forward and a backward pass of every example.

    Args:
        victim, inputs, goal, setting: as for every attack; `epsilon` is needed.
        steps: so many.
        relative_step: length of a step, as a share of the radius; it falls by a cosine.
        resize: by what share the radius shrinks or grows; it falls alike.
    """
    epsilon = setting.needed("epsilon", "fmn")
    problem = Problem(victim, inputs, goal, {name: setting.bounds[name] for name in epsilon}, setting.quantum)
    largest, clean, rows = radii(problem, epsilon), problem.clean, problem.examples
    x = best = clean
    smallest = torch.full_like(clean[:, :1], torch.inf)
    for number in range(steps):
        falling = LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * number / steps))
        margin, gradient = (one.view(len(rows), -1) for one in problem.margin_and_gradient(x, rows))
        size = ((x - clean).abs() / largest.clamp_min(1e-30)).amax(1, keepdim=True)
        met = margin < 0
        better = met & (size < smallest)
        best, smallest = torch.where(better, x, best), torch.where(better, size, smallest)
        linear = size + margin / (gradient.abs() * largest).sum(1, keepdim=True).clamp_min(1e-30)
        grown = (1 + falling * resize) * torch.where(smallest.isfinite(), size, linear)
        radius = torch.where(met, (1 - falling * resize) * smallest, torch.minimum(grown, smallest)).clamp(max=1)
        moved = x - clean - falling * relative_step * radius * largest * gradient.sign()
        x = problem.clamp(clean + torch.minimum(torch.maximum(moved, -radius * largest), radius * largest))
    problem.iterations += steps
    found = smallest.isfinite()[:, 0]
    if found.any():
        best[found] = shorten(problem, best[found], rows[found.cpu()], shortest=0.9, bisections=BISECTIONS)
    return problem.smallest(best, found)
