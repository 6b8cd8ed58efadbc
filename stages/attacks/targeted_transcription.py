"""Room of attacks: a phrase put into a recogniser's transcript (Carlini & Wagner 2018), on several inputs at once.

Not their optimiser: in tens of iterations signed steps with momentum (Dong et al., CVPR 2018) succeed more often than
Adam, and steps that shrink with the bound end at smaller perturbations than steps that do not.
"""

import torch
from torch import Tensor

from stages.attacking.problem import Problem, Result, Setting, norm, radii
from stages.frame.errors import UserError
from stages.frame.parameters import Count, Positive, Share
from stages.measures.transcripts import word_error_counts
from stages.victim import Goal, Inputs, Victim

MOMENTUM = 0.8


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    start: Inputs | None = None,
    iterations: Count,
    relative_step: Positive,
    shrink: Share,
    checked_every: Count,
    tolerated_wer: Share,
) -> Result:
    """Lowers the CTC loss to the target within a bound that shrinks whenever the transcript is good enough.

    The bound is r times each input's epsilon, with one r an example for all its inputs, 1 at first. Where a check finds
    the goal met, r becomes `shrink` times the largest |perturbation|/epsilon, or times r where that is smaller. The
    goal is met where the word error rate of the greedy transcript against the target is 0 or below `tolerated_wer`.
    Where it begins is checked too. All examples take all iterations; each is returned with the smallest perturbation
    that met the goal, or, where none did, with the last one and `success` False.

    Args:
        victim, inputs, goal, setting: as for every attack; the victim decides texts. `epsilon` is needed; with a
            `quantum` what is checked and returned is rounded as in the file.
        start: perturbed inputs to begin at; None for the clean ones.
        iterations: number of steps.
        relative_step: length of each, times r epsilon.
        shrink: factor on the bound after a success.
        checked_every: iterations between checks; the last one is always checked.
        tolerated_wer: 0 asks for every word, 0.5 for more than half of them.

    Raises:
        UserError: the goal is untargeted.
    """
    if not goal.targeted:
        raise UserError("attack targeted_transcription", "the goal targeted", "untargeted", "use another attack")
    epsilon = setting.needed("epsilon", "targeted_transcription")
    problem = Problem(victim, inputs, goal, {name: setting.bounds[name] for name in epsilon}, setting.quantum)
    radius = radii(problem, epsilon)
    phrases = victim.names(goal.labels)
    x = problem.clean if start is None else torch.cat([start[name].flatten(1) for name in problem.names], 1)
    momentum = torch.zeros_like(x)
    r = torch.ones_like(x[:, :1])
    best, smallest = problem.clean, torch.full_like(r, torch.inf)
    for iteration in range(iterations + 1):
        last = iteration == iterations
        if last:
            with torch.no_grad():
                logits = problem.logits(x, problem.examples)
        else:
            _, gradient, logits = problem.loss_and_gradient(x, problem.examples)
        if iteration % checked_every == 0 or last:
            tried = problem.as_file(x)
            met = _met(victim, logits, phrases, tolerated_wer)[:, None]
            size = ((tried - problem.clean).abs() / radius.clamp_min(1e-30)).amax(1, keepdim=True)
            kept = met & (size <= smallest)
            best, smallest = torch.where(kept, tried, best), torch.where(kept, size, smallest)
            r = torch.where(met, shrink * torch.minimum(r, size), r)
            reach = r * radius
            low, high = problem.clamp(problem.clean - reach), problem.clamp(problem.clean + reach)
        if not last:
            momentum.mul_(MOMENTUM).addcmul_(gradient, 1 / norm(gradient).clamp_min(1e-30)[:, None])
            x = torch.addcmul(x, reach, momentum.sign(), value=-relative_step).clamp_(low, high)
    problem.iterations += iterations
    found = smallest.isfinite()[:, 0]
    perturbed = problem.unflatten(torch.where(found[:, None], best, tried), problem.examples)
    return Result(
        {name: perturbed[name] for name in inputs},
        found,
        *(problem.iterations, problem.forwards, problem.backwards),
        problem.zero_gradient & ~found.cpu(),
    )


def _met(victim: Victim, logits: Tensor, phrases: list[str], tolerated_wer: float) -> Tensor:
    """Whether transcripts are near enough to the phrases, and are so in a batch of any size (examples,)."""
    errors, words = word_error_counts(phrases, victim.names(victim.decode(logits)[0])).T
    return torch.from_numpy((errors == 0) | (errors < tolerated_wer * words)).to(logits.device) & victim.sure(logits)
