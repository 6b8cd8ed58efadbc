"""Room of attacks: the basic iterative method as published (Kurakin et al. 2017), signed steps of a fixed length.

Not `bim`, which stops where the goal is met and returns the best point of several: here every example takes every step.
"""

import math

import torch
from torch import Tensor

from stages.attacks.fgsm import per_value
from stages.attacks.problem import Problem, Result
from stages.frame.errors import UserError
from stages.frame.parameters import Positive
from stages.victim import Bounds, Goal, Inputs, Victim


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    bounds: Bounds,
    epsilon: dict[str, float],
    unit: dict[str, float],
    step: dict[str, Positive],
    counted_on: str,
) -> Result:
    """Signed steps down the victim's loss from the clean inputs (Ma et al., ICASSP 2021, Eq. 1), a last point for all.

    Each step is followed by a clip to within epsilon and the bounds. There is no random start and no early stop. All
    inputs take as many steps, so that one whose epsilon is further than they reach stays within less.

    Args:
        victim, inputs, goal, bounds: as for every attack.
        epsilon: most that a value of each input may change, in the victim's scale; inputs not named stay.
        unit: one whole number of each input's file in the victim's scale: 1/32768 for audio, 1 for pixels.
        step: length of a step of each input, in units (64 for audio, 1 for pixels).
        counted_on: the input whose epsilon sets the number of steps, see `iterations_for`.

    Raises:
        UserError: an input has an epsilon and no step, or `counted_on` has none.
    """
    for name in (*epsilon, counted_on):
        if name not in step or name not in epsilon:
            raise UserError(
                "attack basic_iterative", expected=f"epsilon and step of {name!r}", found="none", do="add them"
            )
    problem = Problem(victim, inputs, goal, {name: bounds[name] for name in epsilon})
    moves = {name: step[name] * unit[name] for name in epsilon}
    move, radius = per_value(problem, moves), radii(problem, epsilon)
    low, high = problem.clamp(problem.clean - radius), problem.clamp(problem.clean + radius)
    iterations = iterations_for(epsilon[counted_on] / moves[counted_on])
    x = problem.clean
    for _ in range(iterations):
        _, gradient = problem.loss_and_gradient(x, problem.examples)
        x = (x - move * gradient.sign()).clamp(low, high)
    problem.iterations += iterations
    return problem.result(x, torch.ones_like(x[:, 0], dtype=torch.bool))


def iterations_for(steps: float) -> int:
    """min(n + 4, 1.25 n) rounded down, at least 1, for an epsilon of `steps` n steps (Kurakin et al. 2017, section 2)."""
    # A quotient of floats may fall short of the whole number that it stands for.
    return max(1, math.floor(min(steps + 4, 1.25 * steps) + 1e-6))


def radii(problem: Problem, epsilon: dict[str, float]) -> Tensor:
    """How far each value may move (examples, values): its input's epsilon, and not at all after an example's end.

    What lies there is no part of the clip: were it perturbed, a clip would fare differently beside a longer one.
    """
    parts = []
    for name, shape in zip(problem.names, problem.shapes):
        part = problem.clean.new_full((len(problem.clean), *shape), epsilon[name])
        if f"{name}_length" in problem.inputs:
            lengths = problem.inputs[f"{name}_length"].to(part.device)
            part[torch.arange(shape[0], device=part.device) >= lengths[:, None]] = 0
        parts.append(part.flatten(1))
    return torch.cat(parts, 1)
