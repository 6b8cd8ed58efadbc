"""Room of attacks: the basic iterative method (Kurakin et al. 2017), also known as projected gradient descent."""

import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result, Setting, per_value
from stages.frame.parameters import Count, NonNegativeInt, Positive
from stages.victim import Goal, Inputs, Victim


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    start: Inputs | None = None,
    steps: Count,
    relative_step: Positive,
    random_starts: NonNegativeInt,
) -> Result:
    """Signed steps of `relative_step` times epsilon, each followed by a projection to within epsilon and the bounds.

    The first point that is tried is that of FGSM, one step of the whole epsilon from the clean input, so that whatever
    FGSM fools this fools too. Then come the `steps`, from the clean input or, with `random_starts`, from each of so
    many points drawn uniformly from all that epsilon allows (Madry et al. 2018). With a `start`, perturbed inputs, the
    steps of all starts go on from there instead. An example that meets the goal is done and costs no more; one that
    never does is returned where its margin was lowest. `iterations` counts the points tried. Each costs a forward pass,
    and a backward pass if another one follows it; FGSM costs a forward pass besides its gradient's, which is the first
    step's too unless the start is random.
    """
    epsilon = setting.needed("epsilon", "bim")
    problem = Problem(victim, inputs, goal, {name: setting.bounds[name] for name in epsilon}, setting.quantum)
    radius = per_value(problem, epsilon)
    best, rows, gradient = _Best(problem), problem.examples, None
    if start is None:
        _, gradient, _ = problem.loss_and_gradient(problem.clean, rows)
        going = best.keep(problem.clamp(problem.clean - radius * gradient.sign()), rows)
        gradient, rows = gradient[going], rows[going.cpu()]
        begins = [problem.clean + radius * _draw(problem, number) for number in range(random_starts)] or [problem.clean]
    else:
        begins = [torch.cat([start[name].flatten(1) for name in problem.names], 1)]
        steps *= max(1, random_starts)
    for begin in begins:
        x, clean = (whole[rows.to(radius.device)] for whole in (problem.clamp(begin), problem.clean))
        if len(rows) and begin is not problem.clean:
            _, gradient, _ = problem.loss_and_gradient(x, rows)
        for number in range(steps):
            if len(rows) == 0:
                break
            moved = x - relative_step * radius * gradient.sign()
            x = problem.clamp(clean + (moved - clean).clamp(-radius, radius))
            if number == steps - 1:
                going = best.keep(x, rows)
            else:
                _, gradient, logits = problem.loss_and_gradient(x, rows)
                going = best.keep(x, rows, problem.victim.margin(logits, problem.goal_of(rows)))
                gradient = gradient[going]
            x, clean, rows = x[going], clean[going], rows[going.cpu()]
    return problem.result(best.x)


class _Best:
    """Of the points tried for each example the one with the lowest margin, negative where it meets the goal."""

    def __init__(self, problem: Problem):
        self.problem, self.x = problem, problem.clean.clone()
        self.margin = torch.full_like(problem.clean[:, 0], torch.inf)

    def keep(self, x: Tensor, rows: Tensor, margin: Tensor | None = None) -> Tensor:
        """Tries `x` for the examples `rows`, by its margins; the indices of those that have yet to meet the goal."""
        self.problem.iterations[rows] += 1
        margin, here = self.problem.margin(x, rows) if margin is None else margin, rows.to(x.device)
        better = margin < self.margin[here]
        self.x[here] = torch.where(better[:, None], x, self.x[here])
        self.margin[here] = torch.where(better, margin, self.margin[here])
        return (self.margin[here] >= 0).nonzero()[:, 0]


def _draw(problem: Problem, start: int) -> Tensor:
    """Numbers (1, values) in [-1, 1), always the same: an example's start must not depend on its batch mates."""
    count = len(problem.sizes)
    seeded = [torch.Generator().manual_seed(count * start + number) for number in range(count)]
    drawn = [2 * torch.rand(1, size, generator=one) - 1 for size, one in zip(problem.sizes, seeded)]
    return torch.cat(drawn, 1).to(problem.clean)
