"""Room of attacks: random search on a victim's scores, without gradients, which `square` and `bursts` go by."""

from collections.abc import Callable

import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result

# Of so many steps' shares the changes are halved after each (Andriushchenko et al. 2020, section 3.2).
HALVED_AFTER = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)


def search(
    problem: Problem, first: Tensor, propose: Callable[[Tensor, Tensor, int], Tensor], *, steps: int, confidence: float
) -> Result:
    """What is left of `first` (examples, values) after `steps` proposals, each kept where it lowers the margin.

    `propose` makes of what some examples hold, the examples, and the step's number something else within the budget.
    An example whose margin is below minus `confidence` gets no more of them.
    """
    x, rows = first.clone(), problem.examples
    margin = problem.margin(x, rows)
    for number in range(steps):
        rows = (margin >= -confidence).nonzero()[:, 0].cpu()
        if len(rows) == 0:
            break
        proposed = propose(x[rows], rows, number)
        found = problem.margin(proposed, rows)
        better = found < margin[rows]
        x[rows] = torch.where(better[:, None], proposed, x[rows])
        margin[rows] = torch.where(better, found, margin[rows])
        problem.iterations[rows] += 1
    return problem.result(x)


def shares(first: float, steps: int) -> list[float]:
    """Of what share of the values the change of each step is."""
    return [first / 2 ** sum(number >= after * steps for after in HALVED_AFTER) for number in range(steps)]
