"""Room of attacks: DeepFool (Moosavi-Dezfooli et al., CVPR 2016), untargeted, L2."""

from typing import Annotated

import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result, Setting, adversarial_start, norm, shorten
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegative, NonNegativeInt, Range
from stages.victim import Goal, Inputs, Victim

# What the published code adds to each step's length, so that one that is too short to arrive is not taken for ever.
LEAST_STEP = 1e-4


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    iterations: Count,
    overshoot: NonNegative,
    candidates: Count,
    kept_candidates: Count,
    step_growth: Annotated[float, Range(0)],
    growth_after: NonNegativeInt,
    bisections: NonNegativeInt,
) -> Result:
    """Steps to the nearest of the linearised class boundaries until the class changes.

    The first step looks at the `candidates` classes with the highest scores after the true one, the later ones at
    the `kept_candidates` whose boundaries were nearest then: each class costs a backward pass a step. A step goes
    `LEAST_STEP` beyond the boundary. The point that is tried is always the clean input plus (1 + overshoot) times
    the summed steps, within the bounds. After the first `growth_after` steps, each is at least `step_growth` times
    as long as the one before: 0 is DeepFool as published, a little above 1 arrives also where the boundaries are so
    rough that linear steps become too short. What is found is shortened by `bisections` forward passes, 0 as
    published. A clip on which all this fails, and which the published form would lose, is given what
    `adversarial_start` finds.

    Raises:
        UserError: the goal is targeted.
    """
    if goal.targeted:
        raise UserError("attack deepfool", "the goal untargeted", "targeted", "use another attack")
    problem = Problem(victim, inputs, goal, setting.bounds, setting.quantum)
    steps = torch.zeros_like(problem.clean)
    last, found = torch.zeros_like(steps[:, 0]), torch.zeros(len(steps), dtype=torch.bool, device=steps.device)
    rows, classes = problem.examples, None
    for iteration in range(iterations + 1):
        here = rows.to(steps.device)
        x = problem.clamp(problem.clean[here] + (1 + overshoot) * steps[here]).requires_grad_()
        logits = problem.logits(x, rows)
        scores = victim.attacked_scores(logits).to(logits.dtype)
        margin = victim.margin(logits.detach(), problem.goal_of(rows))
        found[here] = margin < 0
        going = (margin >= 0).nonzero()[:, 0]
        if len(going) == 0 or iteration == iterations:
            break
        if classes is None:
            classes = _nearest_in_score(scores.detach(), goal.labels[here], candidates)
        step, distances = _step(problem, x, scores, rows, classes)
        problem.backwards[rows[going.cpu()]] += classes.shape[1]
        if iteration == 0:
            nearest = distances.topk(min(kept_candidates, distances.shape[1]), largest=False).indices
            classes = classes.gather(1, nearest)
        moved = here[going]
        lengths = norm(step)
        longer = torch.maximum(lengths, step_growth * last[here]) if iteration >= growth_after else lengths
        step = step * (longer / lengths.clamp_min(1e-30))[:, None]
        last[here] = longer
        steps[moved] += step[going]
        rows, classes = rows[going.cpu()], classes[going]
        problem.iterations[rows] += 1
    x = problem.clamp(problem.clean + (1 + overshoot) * steps)
    x[found] = shorten(problem, x[found], problem.examples[found.cpu()], shortest=0.5, bisections=bisections)
    lost = (~found).nonzero()[:, 0]
    if len(lost):
        x[lost], found[lost] = adversarial_start(problem, lost.cpu())
    return problem.smallest(x, found)


def _nearest_in_score(scores: Tensor, labels: Tensor, candidates: int) -> Tensor:
    others = scores.scatter(1, labels[:, None], -torch.inf)
    return others.topk(min(candidates, scores.shape[1] - 1)).indices


def _step(problem: Problem, x: Tensor, scores: Tensor, rows: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """The step to the nearest linearised boundary (rows, values), and the distances to all (rows, classes)."""
    labels = problem.goal.labels[rows.to(scores.device)][:, None]
    gaps = scores.gather(1, labels) - scores.gather(1, classes)
    best, step, distances = torch.full_like(gaps[:, 0], torch.inf).detach(), torch.zeros_like(x).detach(), []
    for column in range(classes.shape[1]):
        last = column == classes.shape[1] - 1
        (gradient,) = torch.autograd.grad(gaps[:, column].sum(), x, retain_graph=not last)
        gradient = gradient.nan_to_num(0.0, 0.0, 0.0)
        gap, length = gaps[:, column].detach().abs(), norm(gradient)
        distance = torch.where(length > 0, gap / length, torch.inf)
        nearer = distance < best
        best = torch.where(nearer, distance, best)
        scale = (distance + LEAST_STEP) / length
        step = torch.where(nearer[:, None], -scale[:, None] * gradient, step)
        distances.append(distance)
    problem.zero_gradient[rows] |= best.isinf().cpu()
    return step, torch.stack(distances, 1)
