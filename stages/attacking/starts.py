"""Room of attacking: adversarial points that searches for the smallest perturbation start from."""

import numpy as np
import torch
from torch import Tensor

from stages.attacking.problem import Problem, norm, radii, shorten

# Of the linear steps: how far each goes beyond the boundary, from which step on they must grow and by how much, the
# momentum of their direction, the longest step relative to where they begin, and the most steps.
OVERSTEP, PLAIN_STEPS, GROWTH, MOMENTUM, LONGEST, MOST_STEPS = 1.1, 10, 1.05, 0.5, 0.1, 100
# Where those steps do not arrive: the loudness of the noise that they begin from next, RMS as a share of full scale.
NOISE = (0.01, 0.03, 0.1, 0.3, 1.0)
# Trials to shorten what is found.
BISECTIONS = 6


def adversarial_start(problem: Problem, rows: Tensor, *, confidence: float = 0.0) -> tuple[Tensor, Tensor]:
    """Adversarial points of the examples `rows` (rows, values), and where one was found (rows,).

    Linear steps from the clean input; where they do not arrive, since the margin has no gradient there or leads into a
    dead end, from the input with noise, louder each time: most labels give way to loud noise by itself, and from
    elsewhere steps find another way to a target. The noise is the same for every example, whatever batch it is in, and
    zero after an example's end. What is found is shortened by bisection towards the clean input.
    """
    clean = problem.clean[rows.to(problem.clean.device)]
    x, found = _linear_steps(problem, clean, rows, confidence)
    noise = _noise(problem)[rows.to(clean.device)] if not found.all() else None
    for loudness in NOISE:
        lost = (~found).nonzero()[:, 0]
        if len(lost) == 0:
            break
        begin = problem.clamp(clean[lost] + loudness * noise[lost])
        x[lost], found[lost] = _linear_steps(problem, begin, rows[lost.cpu()], confidence)
    x[found] = shorten(problem, x[found], rows[found.cpu()], shortest=0.5, bisections=BISECTIONS, confidence=confidence)
    return x, found


def _noise(problem: Problem) -> Tensor:
    """White noise (examples, values) of an RMS of half the range of each input, or of 1 where that is not bounded."""
    halves = {name: min((high - low) / 2, 1.0) for name, (low, high) in problem.bounds.items()}
    one = [np.random.default_rng(0).standard_normal(size) for size in problem.sizes]
    return torch.from_numpy(np.concatenate(one)).to(problem.clean) * radii(problem, halves)


def _linear_steps(problem: Problem, begin: Tensor, rows: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
    """Where linear steps lead from `begin` (rows, values), and whether that is adversarial (rows,).

    One forward and one backward pass a step. Each step crosses the linearised boundary to the class that is nearest
    now (or to the target) by `OVERSTEP`. After the first `PLAIN_STEPS` none is shorter than `GROWTH` times the one
    before: the decibels of quiet bins make the margin so rough that linear steps alone can become too short to arrive.
    None is longer than `LONGEST` times what it began from: longer ones lose their way.
    """
    x, direction = begin.clone(), torch.zeros_like(begin)
    length = torch.zeros_like(x[:, 0])
    found = torch.zeros_like(length, dtype=torch.bool)
    longest = LONGEST * norm(begin)
    open_ones = torch.arange(len(x), device=x.device)
    for number in range(MOST_STEPS + 1):
        margin, gradient = problem.margin_and_gradient(x[open_ones], rows[open_ones.cpu()])
        margin, steepness = margin + confidence, norm(gradient)
        found[open_ones] = margin < 0
        going = ((margin >= 0) & (steepness > 0)).nonzero()[:, 0]
        if len(going) == 0 or number == MOST_STEPS:
            break
        open_ones, margin, steepness = open_ones[going], margin[going], steepness[going]
        growth = GROWTH if number >= PLAIN_STEPS else 0
        wanted = torch.maximum(OVERSTEP * margin.clamp_min(1e-8) / steepness, growth * length[open_ones])
        length[open_ones] = torch.minimum(wanted, longest[open_ones])
        direction[open_ones] = MOMENTUM * direction[open_ones] + (1 - MOMENTUM) * gradient[going] / steepness[:, None]
        scale = length[open_ones] / norm(direction[open_ones]).clamp_min(1e-30)
        x[open_ones] = problem.clamp(x[open_ones] - scale[:, None] * direction[open_ones])
        problem.iterations[rows[open_ones.cpu()]] += 1
    return x, found
