"""Room of attacks: the cheap adversarial start of the iterative attacks, one forward and one backward pass a step."""

import torch
from torch import Tensor

from stages.attacks.problem import Problem, norm, shorten

OVERSTEP, MOST_STEPS, BISECTIONS = 1.1, 30, 4


def start(problem: Problem, *, confidence: float) -> tuple[Tensor, Tensor, Tensor]:
    """Adversarial points (examples, values), their margin's gradient lengths (examples,), and where one was found.

    Each step crosses the linearised boundary to the class that is nearest now (or to the target) by `OVERSTEP`; what
    is found is shortened by bisection.
    """
    x = problem.clean.clone()
    slope = torch.zeros_like(x[:, 0])
    found = torch.zeros_like(slope, dtype=torch.bool)
    rows = problem.examples
    for _ in range(MOST_STEPS + 1):
        here = rows.to(x.device)
        margin, gradient = problem.margin_and_gradient(x[here], rows)
        margin, length = margin + confidence, norm(gradient)
        found[here], slope[here] = margin < 0, length
        going = ((margin >= 0) & (length > 0)).nonzero()[:, 0]
        if len(going) == 0:
            break
        factor = OVERSTEP * margin.clamp_min(1e-8) / length.square().clamp_min(1e-30)
        x[here[going]] = problem.clamp(x[here] - factor[:, None] * gradient)[going]
        rows = rows[going.cpu()]
        problem.iterations[rows] += 1
    rows = problem.examples[found.cpu()]
    x[found] = shorten(problem, x[found], rows, shortest=0.5, bisections=BISECTIONS, confidence=confidence)
    return x, slope, found
