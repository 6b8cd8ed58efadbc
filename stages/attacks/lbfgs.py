"""Room of attacks: box-constrained L-BFGS (Szegedy et al., ICLR 2014), all examples of a batch at once."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from stages.attacking.problem import Problem, Result, Setting, adversarial_start, norm, shorten
from stages.frame.errors import UserError
from stages.frame.parameters import Count
from stages.victim import Goal, Inputs, Victim

FACTOR, FIRST_STEP = 4.0, 0.1
ARMIJO, SHRINK, MOST_TRIALS, FLAT = 1e-4, 0.3, 8, 1e-5
BISECTIONS = 6


def attack(
    victim: Victim, inputs: Inputs, goal: Goal, *, setting: Setting, iterations: Count, searches: Count, history: Count
) -> Result:
    """Minimises c |d|² + cross-entropy to the target within the bounds, in a line search for the largest c that works.

    The first c balances both gradients at the start (see `adversarial_start`); it is then multiplied or divided
    by 4 until the answer changes, and bisected in its logarithm. The shortest adversarial point ever met is kept.

    Raises:
        UserError: the goal is untargeted.
    """
    if not goal.targeted:
        raise UserError("attack lbfgs", "the goal targeted", "untargeted", "use another attack")
    problem = Problem(victim, inputs, goal, setting.bounds, setting.quantum)
    best, found = adversarial_start(problem, problem.examples)
    rows = problem.examples[found.cpu()]
    if len(rows) == 0:
        return problem.smallest(best, found)
    search = _Search(problem, rows, best[found])
    _, gradient, _ = _cross_entropy(problem, search.best, rows)
    c = norm(gradient) / (2 * search.distance).clamp_min(1e-30)
    low, high = torch.zeros_like(c), torch.full_like(c, torch.inf)
    for _ in range(searches):
        worked = _minimise(search, c, iterations, history)
        low, high = torch.where(worked, c, low), torch.where(worked, high, c)
        c = torch.where(high.isinf(), low * FACTOR, torch.where(low == 0, high / FACTOR, (low * high).sqrt()))
    best[found] = shorten(problem, search.best, rows, shortest=0.5, bisections=BISECTIONS)
    return problem.smallest(best, found)


@dataclass(frozen=True)
class _Point:
    """Points (rows, values) with the objective, its gradient, and whether the goal is reached."""

    x: Tensor
    value: Tensor
    gradient: Tensor
    reached: Tensor


class _Search:
    """The examples being worked on, and the shortest adversarial point that any evaluation has met for each."""

    def __init__(self, problem: Problem, rows: Tensor, start: Tensor):
        self.problem, self.rows, self.best = problem, rows, start
        self.clean = problem.clean[rows.to(start.device)]
        self.distance = norm(start - self.clean)

    def objective(self, x: Tensor, c: Tensor, which: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Objective, gradient, and whether the goal is reached, at points `x` of the working examples `which`."""
        rows = self.rows[which.cpu()]
        loss, gradient, reached = _cross_entropy(self.problem, x, rows)
        d = x - self.clean[which]
        shorter = reached & (norm(d) < self.distance[which])
        self.best[which] = torch.where(shorter[:, None], x, self.best[which])
        self.distance[which] = torch.where(shorter, norm(d), self.distance[which])
        return loss + c[which] * d.square().sum(1), gradient + (2 * c[which])[:, None] * d, reached


def _cross_entropy(problem: Problem, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The cross-entropy to the target (rows,), its gradient (rows, values), and whether the goal is reached."""
    loss, gradient, logits = problem.loss_and_gradient(x, rows)
    return softplus(loss), loss.sigmoid()[:, None] * gradient, problem.victim.meets(logits, problem.goal_of(rows))


def _minimise(search: _Search, c: Tensor, iterations: int, history: int) -> Tensor:
    """Runs projected L-BFGS from the best points; whether the minimum found for each c is adversarial."""
    problem, everyone = search.problem, torch.arange(len(search.rows), device=c.device)
    x = search.best.clone()
    now = _Point(x, *search.objective(x, c, everyone))
    pairs: list[tuple[Tensor, Tensor]] = []
    going = torch.ones_like(now.reached)
    for _ in range(iterations):
        direction = -_inverse_hessian(now.gradient, pairs)
        uphill = (direction * now.gradient).sum(1) >= 0
        direction = torch.where(uphill[:, None], -now.gradient, direction)
        if not pairs:
            direction = direction * (FIRST_STEP * search.distance / norm(direction).clamp_min(1e-30))[:, None]
        new, moved = _line_search(search, now, c, direction, going)
        pairs = [*pairs, (new.x - now.x, new.gradient - now.gradient)][-history:]
        problem.iterations[search.rows[going.cpu()]] += 1
        going = going & moved & (now.value - new.value > FLAT * now.value.abs())
        now = new
        if not going.any():
            break
    return now.reached


def _line_search(search: _Search, start: _Point, c: Tensor, direction: Tensor, going: Tensor) -> tuple[_Point, Tensor]:
    """Backtracking along the projected path until Armijo's condition holds; and which points moved.

    Only unresolved examples are evaluated.
    """
    x, value, gradient, reached = (one.clone() for one in (start.x, start.value, start.gradient, start.reached))
    size, moved = torch.ones_like(value), torch.zeros_like(going)
    open_ones = going.nonzero()[:, 0]
    for _ in range(MOST_TRIALS):
        if len(open_ones) == 0:
            break
        trial = search.problem.clamp(start.x[open_ones] + size[open_ones, None] * direction[open_ones])
        new_value, new_gradient, new_reached = search.objective(trial, c, open_ones)
        expected = (start.gradient[open_ones] * (trial - start.x[open_ones])).sum(1)
        good = new_value <= start.value[open_ones] + ARMIJO * expected
        taken = open_ones[good]
        x[taken], value[taken] = trial[good], new_value[good]
        gradient[taken], reached[taken], moved[taken] = new_gradient[good], new_reached[good], True
        open_ones = open_ones[~good]
        size[open_ones] *= SHRINK
    return _Point(x, value, gradient, reached), moved


def _inverse_hessian(gradient: Tensor, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The two-loop recursion (Nocedal 1980), a row each; pairs without positive curvature are passed over by row."""
    q, kept = gradient.clone(), []
    for s, y in reversed(pairs):
        curvature = (s * y).sum(1)
        usable = curvature > 1e-20
        rho = torch.where(usable, 1 / curvature.clamp_min(1e-20), 0.0)
        alpha = rho * (s * q).sum(1)
        q = q - alpha[:, None] * y
        kept.append((s, y, rho, alpha, usable))
    scale = torch.ones_like(q[:, 0])
    for s, y, _, _, usable in reversed(kept):
        scale = torch.where(usable, (s * y).sum(1) / y.square().sum(1).clamp_min(1e-30), scale)
    q = q * scale[:, None]
    for s, y, rho, alpha, _ in reversed(kept):
        q = q + (alpha - rho * (y * q).sum(1))[:, None] * s
    return q
