"""Room of attacks: the fast gradient sign method (Goodfellow et al., ICLR 2015), one step of a given size."""

from stages.attacking.problem import Problem, Result, Setting, per_value
from stages.frame.parameters import Positive
from stages.victim import Goal, Inputs, Victim


def attack(victim: Victim, inputs: Inputs, goal: Goal, *, setting: Setting, eta: Positive | None) -> Result:
    """The inputs that have an epsilon, every value moved by it down the victim's loss (Ren et al. 2020, Eq. 1).

    Untargeted that is up the cross-entropy of the true label, targeted down that of the target. A value whose gradient
    is zero stays. What is more than `eta` away from the clean value is clipped to that (Eq. 2), null being epsilon, and
    then to the bounds, which may be infinite. Every example is returned perturbed, whether or not it meets the goal.
    """
    epsilon = setting.needed("epsilon", "fgsm")
    problem = Problem(victim, inputs, goal, {name: setting.bounds[name] for name in epsilon}, setting.quantum)
    problem.iterations += 1
    # Clipping one signed step to +- eta is a step of the smaller of the two.
    step = per_value(problem, {name: min(size, eta or size) for name, size in epsilon.items()})
    _, gradient, _ = problem.loss_and_gradient(problem.clean, problem.examples)
    x = problem.clamp(problem.clean - step * gradient.sign())
    return problem.result(x)
