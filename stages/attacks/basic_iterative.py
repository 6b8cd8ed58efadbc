"""Room of attacks: the basic iterative method as published (Kurakin et al. 2017), signed steps of a fixed length.

Not `bim`, which stops where the goal is met and returns the best point of several: here every example takes every step.
"""

import math

from stages.attacking.problem import Problem, Result, Setting, per_value, radii
from stages.frame.errors import UserError
from stages.frame.parameters import Positive
from stages.victim import Goal, Inputs, Victim


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    step: dict[str, Positive],
    counted_on: str,
) -> Result:
    """Signed steps down the victim's loss from the clean inputs (Ma et al., ICASSP 2021, Eq. 1), a last point for all.

    Each step is followed by a clip to within epsilon and the bounds. There is no random start and no early stop. All
    inputs take as many steps, so that one whose epsilon is further than they reach stays within less.

    Args:
        victim, inputs, goal, setting: as for every attack; `epsilon` is needed.
        step: length of a step of each input, in the setting's units (64 steps of 16 bits for audio, 1 for pixels).
        counted_on: the input whose epsilon sets the number of steps, see `iterations_for`.

    Raises:
        UserError: an input has an epsilon and no step, or `counted_on` has none.
    """
    epsilon = setting.needed("epsilon", "basic_iterative")
    for name in (*epsilon, counted_on):
        if name not in step or name not in epsilon:
            raise UserError("attack basic_iterative", f"epsilon and step of {name!r}", "none", "add them")
    problem = Problem(victim, inputs, goal, {name: setting.bounds[name] for name in epsilon}, setting.quantum)
    moves = {name: step[name] * setting.unit.get(name, 1.0) for name in epsilon}
    move, radius = per_value(problem, moves), radii(problem, epsilon)
    low, high = problem.clamp(problem.clean - radius), problem.clamp(problem.clean + radius)
    iterations = iterations_for(epsilon[counted_on] / moves[counted_on])
    x = problem.clean
    for _ in range(iterations):
        _, gradient, _ = problem.loss_and_gradient(x, problem.examples)
        x = (x - move * gradient.sign()).clamp(low, high)
    problem.iterations += iterations
    return problem.result(x)


def iterations_for(steps: float) -> int:
    """min(n + 4, 1.25 n) rounded down, at least 1, for an epsilon of `steps` n steps (Kurakin et al., section 2)."""
    # A quotient of floats may fall short of the whole number that it stands for.
    return max(1, math.floor(min(steps + 4, 1.25 * steps) + 1e-6))
