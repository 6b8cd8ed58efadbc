"""Room of attacks: the cheap adversarial start of the iterative attacks, one forward and one backward pass a step."""

import torch
from torch import Tensor

from stages.attacks.problem import Problem, norm, shorten

OVERSTEP, GROWTH, PLAIN_STEPS, MOMENTUM = 1.1, 1.05, 10, 0.5
LONGEST, MOST_STEPS, BISECTIONS = 0.1, 100, 6


def start(problem: Problem, *, confidence: float) -> tuple[Tensor, Tensor, Tensor]:
    """Adversarial points (examples, values), their margin's gradient lengths (examples,), and where one was found.

    Each step crosses the linearised boundary to the class that is nearest now (or to the target) by `OVERSTEP`. After
    the first `PLAIN_STEPS` none is shorter than `GROWTH` times the one before: the decibels of quiet bins make the
    margin so rough that linear steps alone can become too short to arrive. None is longer than `LONGEST` times the clean
    input: longer ones lose their way. What is found is shortened by bisection.
    """
    x, direction = problem.clean.clone(), torch.zeros_like(problem.clean)
    slope, length = torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0])
    found = torch.zeros_like(slope, dtype=torch.bool)
    longest = LONGEST * norm(problem.clean)
    rows = problem.examples
    for number in range(MOST_STEPS + 1):
        here = rows.to(x.device)
        margin, gradient = problem.margin_and_gradient(x[here], rows)
        margin, steepness = margin + confidence, norm(gradient)
        found[here], slope[here] = margin < 0, steepness
        going = ((margin >= 0) & (steepness > 0)).nonzero()[:, 0]
        if len(going) == 0:
            break
        rows, here, margin, steepness = rows[going.cpu()], here[going], margin[going], steepness[going]
        growth = GROWTH if number >= PLAIN_STEPS else 0
        wanted = torch.maximum(OVERSTEP * margin.clamp_min(1e-8) / steepness, growth * length[here])
        length[here] = torch.minimum(wanted, longest[here])
        direction[here] = MOMENTUM * direction[here] + (1 - MOMENTUM) * gradient[going] / steepness[:, None]
        scale = length[here] / norm(direction[here]).clamp_min(1e-30)
        x[here] = problem.clamp(x[here] - scale[:, None] * direction[here])
        problem.iterations[rows] += 1
    rows = problem.examples[found.cpu()]
    x[found] = shorten(problem, x[found], rows, shortest=0.5, bisections=BISECTIONS, confidence=confidence)
    return x, slope, found
