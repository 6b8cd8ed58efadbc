"""Room of attacks: the search for the smallest perturbation as mathematics on a matrix, one example a row."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.victim import Bounds, Goal, Inputs, Victim


@dataclass(frozen=True)
class Result:
    """What an attack found.

    An example whose `success` is False is returned unperturbed by attacks that search for the smallest perturbation, and
    perturbed nonetheless by those that are given its size.
    `adversarial` has the form of the inputs; the other fields have one entry an example: `iterations` of the attack,
    and the passes through the victim that it cost, `forwards` and `backwards`.
    """

    adversarial: Inputs
    success: Tensor
    iterations: Tensor
    forwards: Tensor
    backwards: Tensor


class Problem:
    """Perturbed inputs as rows of a matrix, the goal as a margin that is negative where it is reached.

    The margin is z_y - max of the others for the true label y, or max of the others - z_t for a target t, with z the
    victim's attacked scores. `clean`, `low` and `high` are (examples, values) and (1, values). `rows` are the examples
    that a matrix holds.
    """

    def __init__(self, victim: Victim, inputs: Inputs, goal: Goal, bounds: Bounds):
        self.victim, self.inputs, self.goal = victim, inputs, goal
        self.names = [name for name in inputs if name in bounds]
        self.shapes = [inputs[name].shape[1:] for name in self.names]
        self.sizes = [inputs[name][0].numel() for name in self.names]
        self.clean = torch.cat([inputs[name].detach().flatten(1) for name in self.names], 1)
        self.low, self.high = (
            torch.cat([self.clean.new_full((1, n), bounds[name][side]) for name, n in zip(self.names, self.sizes)], 1)
            for side in (0, 1)
        )
        self.examples = torch.arange(len(self.clean))
        self.iterations, self.forwards, self.backwards = (
            torch.zeros(len(self.clean), dtype=torch.long) for _ in range(3)
        )

    def clamp(self, x: Tensor) -> Tensor:
        """`x` within the valid range of every value."""
        return torch.minimum(torch.maximum(x, self.low), self.high)

    def unflatten(self, x: Tensor, rows: Tensor) -> Inputs:
        """The named inputs of the examples `rows`, perturbed to `x`."""
        parts = zip(self.names, self.shapes, x.split(self.sizes, 1))
        return {name: value[rows.to(value.device)] for name, value in self.inputs.items() if name not in self.names} | {
            name: part.unflatten(1, shape) for name, shape, part in parts
        }

    def scores(self, x: Tensor, rows: Tensor) -> Tensor:
        """The victim's attacked scores (rows, labels)."""
        self.forwards[rows] += 1
        return self.victim.attacked_scores(self.unflatten(x, rows))

    def margin_of(self, scores: Tensor, rows: Tensor) -> Tensor:
        """Margins (rows,) of attacked scores."""
        labels = self.goal.labels[rows.to(scores.device)][:, None]
        own = scores.gather(1, labels)[:, 0]
        other = scores.scatter(1, labels, -torch.inf).amax(1)
        return other - own if self.goal.targeted else own - other

    def margin(self, x: Tensor, rows: Tensor) -> Tensor:
        """Margins (rows,) by a forward pass alone."""
        with torch.no_grad():
            return self.margin_of(self.scores(x, rows), rows)

    def margin_and_gradient(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Margins (rows,) and their gradients (rows, values), NaN replaced by zero."""
        return self._with_gradient(x, rows, lambda inputs: self.margin_of(self.victim.attacked_scores(inputs), rows))

    def loss_and_gradient(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The victim's loss towards the goal (rows,) and its gradient (rows, values)."""
        goal = Goal(self.goal.labels[rows.to(self.goal.labels.device)], self.goal.targeted)
        return self._with_gradient(x, rows, lambda inputs: self.victim.loss(inputs, goal))

    def _with_gradient(self, x: Tensor, rows: Tensor, objective) -> tuple[Tensor, Tensor]:
        self.forwards[rows] += 1
        self.backwards[rows] += 1
        x = x.detach().requires_grad_()
        values = objective(self.unflatten(x, rows))
        (gradient,) = torch.autograd.grad(values.sum(), x)
        return values.detach(), gradient.nan_to_num(0.0, 0.0, 0.0)

    def result(self, x: Tensor, found: Tensor) -> Result:
        """The attack's result: rows of `x` where `found`, the clean inputs elsewhere; success is what the victim says."""
        x = torch.where(found[:, None], x, self.clean)
        with torch.no_grad():
            perturbed = self.unflatten(x, self.examples)
            label, _ = self.victim.decode(self.victim.logits(perturbed))
        adversarial = {name: perturbed[name] for name in self.inputs}
        success = self.goal.reached(label) & found
        return Result(adversarial, success, self.iterations, self.forwards, self.backwards)


def norm(x: Tensor) -> Tensor:
    """L2 norms (rows,)."""
    return x.flatten(1).norm(dim=1)


def shorten(
    problem: Problem, x: Tensor, rows: Tensor, *, shortest: float, bisections: int, confidence: float = 0.0
) -> Tensor:
    """Adversarial `x` moved towards the clean inputs along the ray, as far as trials find them still adversarial.

    Each of the `bisections` trials is a forward pass: a step down by the factor `shortest` as long as that works, then
    halvings of what is left.
    """
    if len(rows) == 0:
        return x
    clean = problem.clean[rows.to(x.device)]
    good, bad = torch.ones_like(x[:, 0]), torch.zeros_like(x[:, 0])
    for _ in range(bisections):
        trial = torch.where(bad == 0, good * shortest, (good + bad) / 2)
        holds = problem.margin(clean + trial[:, None] * (x - clean), rows) < -confidence
        good, bad = torch.where(holds, trial, good), torch.where(holds, bad, trial)
    return clean + good[:, None] * (x - clean)
