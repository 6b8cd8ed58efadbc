"""Room of attacking: what an attack is told and gives back, and its search as mathematics on a matrix."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.frame.errors import UserError
from stages.frame.pcm import INTEGERS
from stages.victim import Bounds, Goal, Inputs, Victim

Objective = Callable[[Tensor, Goal], Tensor]

# From so many examples on, the kernels of a CPU give an example the same bytes whatever their number: for fewer they
# divide the work otherwise.
FEWEST = 16
# Of the linear steps: how far each goes beyond the boundary, from which step on they must grow and by how much, the
# momentum of their direction, the longest step relative to where they begin, and the most steps.
OVERSTEP, PLAIN_STEPS, GROWTH, MOMENTUM, LONGEST, MOST_STEPS = 1.1, 10, 1.05, 0.5, 0.1, 100
# Where those steps do not arrive: the loudness of the noise that they begin from next, RMS as a share of full scale,
# and of the tones that they begin from then, half an octave apart, how many values one swing takes.
LOUDNESS, PERIODS = (0.01, 0.03, 0.1, 0.3, 1.0), [4 * 2 ** (half / 2) for half in range(17)]
# Trials to shorten what is found.
BISECTIONS = 6
# Where what an attack must be told comes from.
NEEDED_FROM = {
    "epsilon": "`epsilons` in the plan or `epsilon` in the entry of `attacks`",
    "quantum": "in the clips' about.json what their files' whole numbers are",
    "rooms": "`impulse_responses` in the study's section `playback`",
    "spoken_phrases": "`spoken_phrases` in the study's section `playback`",
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What every attack is told besides its own parameters; all sizes are in the victim's scale.

    Args:
        bounds: the valid range of each input that may be perturbed.
        epsilon: most that a value of each input may change; inputs not named stay.
        unit: what one unit of the parameters is, of each input (1/32768 for steps of 16 bits); 1 where none is given.
        quantum: one whole number of each input's file; None where the files hold no integers.
        rooms: impulse responses (rooms, taps), see `stages.features.playback.read_responses`.
        spoken_phrases: a folder with a recording of each phrase, such as `open-the-door.wav`.
    """

    bounds: Bounds
    epsilon: dict[str, float] | None = None
    unit: dict[str, float] = field(default_factory=dict)
    quantum: dict[str, float] | None = None
    rooms: Tensor | None = None
    spoken_phrases: str | None = None

    def needed(self, name: str, attack: str) -> Any:
        """The field `name`, without which `attack` cannot be.

        Raises:
            UserError: it is None.
        """
        value = getattr(self, name)
        if value is None:
            raise UserError(f"attack {attack}", f"{name} to be known", "none", f"say {NEEDED_FROM[name]}")
        return value


@dataclass(frozen=True)
class Result:
    """What an attack found.

    An example whose `success` is False is returned unperturbed by attacks that search for the smallest perturbation,
    and perturbed nonetheless by those that are given its size. One whose `success` is True meets the goal as a file
    holds it, alone and in any batch.

    On a CPU its bytes are the same alone and in any batch of clips that are padded to one length: a batch has at least
    `FEWEST` examples (or a smaller `batch_size` exactly), copies among them where there are fewer, and so has each pass
    when others are done. Clips that are padded to other lengths round otherwise, from which searches of many steps part
    (10 of 18 clips against the small DeepSpeech got other perturbations alone, of up to twice the size); so clips of
    several lengths are attacked one by one: wherever a study has such, its `batch_size` is 1.

    `adversarial` has the form of the inputs; the other fields have one entry an example: `iterations` of the attack,
    the passes through the victim that it cost, `forwards` and `backwards`, and `zero_gradient`, whether it failed and
    met a gradient that is zero everywhere, which says nothing of how robust the victim is.
    """

    adversarial: Inputs
    success: Tensor
    iterations: Tensor
    forwards: Tensor
    backwards: Tensor
    zero_gradient: Tensor

    def only(self, rows: Tensor) -> "Result":
        """The result of some of the examples."""
        counts = {one.name: getattr(self, one.name) for one in fields(self)[1:]}
        return Result(taken(self.adversarial, rows), **taken(counts, rows))


def taken(values: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """Of each tensor (examples, ...) the `rows`."""
    return {name: value[rows.to(value.device)] for name, value in values.items()}


def filled(attack: Callable[..., Result], batch_size: int) -> Callable[..., Result]:
    """The attack on batches of up to `batch_size` examples, with copies where they are too few, see `Result`."""

    def on_filled(victim: Victim, inputs: Inputs, goal: Goal, **told: Any) -> Result:
        rows = torch.arange(max(len(goal.labels), min(FEWEST, batch_size))) % len(goal.labels)
        whole = Goal(goal.labels[rows.to(goal.labels.device)], goal.targeted)
        own = {name: taken(value, rows) if name == "start" else value for name, value in told.items()}
        return attack(victim, taken(inputs, rows), whole, **own).only(torch.arange(len(goal.labels)))

    return on_filled


def rounded(inputs: Inputs, quantum: dict[str, float] | None) -> Inputs:
    """What files can hold of the inputs: each value to the nearest whole number of its `quantum` within the range."""
    whole = {}
    for name, step in (quantum or {}).items():
        limits = np.iinfo(INTEGERS[name])
        whole[name] = (inputs[name] / step).round().clamp(limits.min, limits.max) * step
    return inputs | whole


class Problem:
    """Perturbed inputs as rows of a matrix, the goal as a margin that is negative where it is reached.

    The margin is the victim's. `clean`, `low` and `high` are (examples, values) and (1, values). `rows` are the
    examples that a matrix holds. Where files hold whole numbers of a `quantum`, the victim is given every point as its
    file would hold it, and gradients pass as if nothing were rounded.
    """

    def __init__(self, victim: Victim, inputs: Inputs, goal: Goal, bounds: Bounds, quantum: dict[str, float] | None):
        self.victim, self.inputs, self.goal = victim, inputs, goal
        self.names = [name for name in inputs if name in bounds]
        self.bounds = {name: bounds[name] for name in self.names}
        self.quantum = {name: step for name, step in (quantum or {}).items() if name in self.names}
        self.shapes = [inputs[name].shape[1:] for name in self.names]
        self.sizes = [inputs[name][0].numel() for name in self.names]
        self.clean = torch.cat([inputs[name].detach().flatten(1) for name in self.names], 1)
        self.low, self.high = (
            torch.cat([self.clean.new_full((1, n), bounds[name][side]) for name, n in zip(self.names, self.sizes)], 1)
            for side in (0, 1)
        )
        self.examples = torch.arange(len(self.clean))
        self.iterations, self.forwards, self.backwards = torch.zeros(3, len(self.clean), dtype=torch.long)
        self.zero_gradient = torch.zeros(len(self.clean), dtype=torch.bool)

    def clamp(self, x: Tensor) -> Tensor:
        """`x` within the valid range of every value."""
        return torch.minimum(torch.maximum(x, self.low), self.high)

    def as_file(self, x: Tensor) -> Tensor:
        """`x` as files hold it."""
        parts = dict(zip(self.names, x.split(self.sizes, 1)))
        return torch.cat(list(rounded(parts, self.quantum).values()), 1)

    def unflatten(self, x: Tensor, rows: Tensor) -> Inputs:
        """The inputs of the examples `rows`, perturbed to `x` as files hold it."""
        parts = zip(self.names, self.shapes, (self.as_file(x.detach()) + (x - x.detach())).split(self.sizes, 1))
        return {name: value[rows.to(value.device)] for name, value in self.inputs.items() if name not in self.names} | {
            name: part.unflatten(1, shape) for name, shape, part in parts
        }

    def logits(self, x: Tensor, rows: Tensor) -> Tensor:
        """The victim's logits (rows, ...), by a pass of at least `FEWEST` examples, or as many as there are in all."""
        self.forwards[rows] += 1
        copies = max(0, min(FEWEST, len(self.clean)) - len(rows))
        x = torch.cat([x, x[:1].detach().expand(copies, -1)]) if copies else x
        return self.victim.logits(self.unflatten(x, torch.cat([rows, rows[:1].expand(copies)])))[: len(rows)]

    def goal_of(self, rows: Tensor) -> Goal:
        """The goal of the examples `rows`."""
        return Goal(self.goal.labels[rows.to(self.goal.labels.device)], self.goal.targeted)

    def margin(self, x: Tensor, rows: Tensor) -> Tensor:
        """Margins (rows,) by a forward pass alone."""
        with torch.no_grad():
            return self.victim.margin(self.logits(x, rows), self.goal_of(rows))

    def margin_and_gradient(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Margins (rows,) and their gradients (rows, values), NaN replaced by zero."""
        margin, gradient, _ = self._with_gradient(x, rows, self.victim.margin)
        return margin, gradient

    def margin_then_gradient(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        """The same margins, and what makes the gradients (chosen, values) of those that are worth a backward pass."""
        margin, _, gradient = self._forward(x, rows, self.victim.margin)
        return margin, gradient

    def loss_and_gradient(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The victim's loss towards the goal (rows,), its gradient (rows, values), and the logits (rows, ...)."""
        return self._with_gradient(x, rows, self.victim.loss)

    def _with_gradient(self, x: Tensor, rows: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Tensor]:
        values, logits, gradient = self._forward(x, rows, objective)
        return values, gradient(), logits

    def _forward(self, x: Tensor, rows: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Callable[..., Tensor]]:
        """Values of an objective (rows,), logits (rows, ...), and what makes the gradients (chosen, values) of some."""
        x = x.detach().requires_grad_()
        logits = self.logits(x, rows)
        values = objective(logits, self.goal_of(rows))

        def gradient(chosen: Tensor | slice = slice(None)) -> Tensor:
            (found,) = torch.autograd.grad(values.sum(), x)
            found = found[chosen].nan_to_num(0.0, 0.0, 0.0)
            self.backwards[rows[chosen]] += 1
            self.zero_gradient[rows[chosen]] |= (found == 0).all(1).cpu()
            return found

        return values.detach(), logits.detach(), gradient

    def result(self, x: Tensor, success: Tensor | None = None) -> Result:
        """The result of an attack of a given size: `x`, whether or not it meets the goal.

        `success` (examples,) is what margins have told of that already; None costs another forward pass, uncounted.
        """
        perturbed = self.unflatten(x, self.examples)
        if success is None:
            with torch.no_grad():
                success = self.victim.meets(self.victim.logits(perturbed), self.goal)
        return Result(
            {name: perturbed[name] for name in self.inputs},
            success,
            *(self.iterations, self.forwards, self.backwards),
            self.zero_gradient & ~success.cpu(),
        )

    def smallest(self, x: Tensor, found: Tensor) -> Result:
        """The result of a search for the smallest perturbation: clean where `x` is no success, or not `found`."""
        made = self.result(x)
        success = made.success & found
        clean = (~success).nonzero()[:, 0]
        adversarial = {
            name: value.index_copy(0, clean, self.inputs[name][clean]) if name in self.names else value
            for name, value in made.adversarial.items()
        }
        return replace(
            made, adversarial=adversarial, success=success, zero_gradient=self.zero_gradient & ~success.cpu()
        )


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


def per_value(problem: Problem, sizes: dict[str, float]) -> Tensor:
    """One size for each input, spread over its values: (1, values)."""
    parts = [problem.clean.new_full((1, n), sizes[name]) for name, n in zip(problem.names, problem.sizes)]
    return torch.cat(parts, 1)


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


def adversarial_start(problem: Problem, rows: Tensor, *, confidence: float = 0.0) -> tuple[Tensor, Tensor]:
    """Adversarial points of the examples `rows` (rows, values), and where one was found (rows,).

    Linear steps from the clean input; where they do not arrive, since the margin has no gradient there or leads into a
    dead end, from the input with noise, louder each time: most labels give way to loud noise by itself, and from
    elsewhere steps find another way to a target; at last from tones, as none may lead from noise to a low sound. What
    is found is shortened by bisection towards the clean input.
    """
    clean = problem.clean[rows.to(problem.clean.device)]
    x, found = _linear_steps(problem, clean, rows, confidence)
    for disturbance in _disturbances(problem):
        lost = (~found).nonzero()[:, 0]
        if len(lost) == 0:
            break
        begin = problem.clamp(clean[lost] + disturbance[rows[lost.cpu()].to(clean.device)])
        x[lost], found[lost] = _linear_steps(problem, begin, rows[lost.cpu()], confidence)
    x[found] = shorten(problem, x[found], rows[found.cpu()], shortest=0.5, bisections=BISECTIONS, confidence=confidence)
    return x, found


def _disturbances(problem: Problem) -> Iterator[Tensor]:
    """White noise, louder each time, then what makes a clip a pure tone (examples, values), the same in any batch."""
    full = radii(problem, {name: min((high - low) / 2, 1.0) for name, (low, high) in problem.bounds.items()})
    noise = np.concatenate([np.random.default_rng(0).standard_normal(size) for size in problem.sizes])
    for loudness in LOUDNESS:
        yield loudness * (torch.from_numpy(noise).to(full) * full)
    for period in PERIODS:
        tone = np.concatenate([np.sin(2 * np.pi * np.arange(size) / period) for size in problem.sizes])
        yield torch.from_numpy(tone).to(full) * full - problem.clean


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
