"""Room of attacks: a phrase put into what a recogniser hears over the air (Yakura & Sakuma, IJCAI 2019), SNR bounded.

Without rooms and without a band it is the direct attack on transcripts (Carlini & Wagner 2018) under that bound.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stages.attacking.problem import Result, Setting, norm
from stages.attacks.clips import Clips
from stages.features.playback import played
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive, Share
from stages.victim import Goal, Inputs, Victim

MOMENTUM = 0.9
# Rooms and noise of the steps and of the checks are drawn apart.
OF_STEPS, OF_CHECKS = 0, 1


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    start: Inputs | None = None,
    snr_db: float,
    iterations: Count,
    relative_step: Positive,
    shrink: Share | None,
    checked_every: Count,
    band_hz: list[float] | None,
    noise_snr_db: float | None,
    rooms_per_step: NonNegativeInt,
    checked_rooms: Count,
    needed: Share,
) -> Result:
    """Lowers the CTC loss to the target, as heard in rooms, within a ball around each clip (Eq. 3 of Yang et al. 2020).

    Steps go down the gradient, shaped to the band and of length one, averaged with a momentum; each is followed by a
    projection to the ball. (In 200 steps Adam came to fewer successes on a small recogniser.) Rooms and noise are drawn
    anew for each step, the same for all clips, so that a clip fares alone as it does in a batch. All examples take all
    iterations, and now and then are checked as 16-bit files: heard in the first `checked_rooms` rooms, with noise, a
    goal is met where the best path gives the phrase in a share `needed` of them; or, if clips are not played, where it
    gives the phrase for the file.

    Returned is the file that met the goal with the smallest perturbation where the ball shrinks, else (and where none
    met it) the one that gave the phrase in most rooms, the last of several. `success` is whether that file met the goal
    at its check, in training rooms: what it is worth in others is for the caller to find out.

    Args:
        victim, inputs, goal, setting: as for every attack; the victim decides texts, from `audio` and `audio_length`.
            `quantum` is needed, and `rooms` where clips are played.
        start: perturbed inputs to begin at, as far as the ball has them; None for the clips.
        snr_db: the lowest SNR, 10 log10 of the clip's energy over the perturbation's, that the files may have.
        iterations: number of steps.
        relative_step: length of the first, in radii of the ball, were all gradients to point one way; it falls to zero.
        shrink: after a success the radius becomes that of the success times this; null leaves it.
        checked_every: iterations between checks; the last one is always checked.
        band_hz: lowest and highest frequency of the perturbation, 1000 and 4000 as published; null for all.
        noise_snr_db: how far below what is heard the white noise is; null for none.
        rooms_per_step: rooms that the expectation is estimated from at each step; 0 does not play the clips at all.
        checked_rooms: at most so many rooms of a check.
        needed: share of them, of which any at all must give the phrase.

    Raises:
        UserError: the goal is untargeted, or the band is none.
    """
    if not goal.targeted:
        raise UserError("attack over_the_air", "the goal targeted", "untargeted", "use another attack")
    clips = Clips(inputs, setting, band_hz)
    radius = clips.radius(snr_db)
    probes = [None]
    if rooms_per_step:
        rooms = setting.needed("rooms", "over_the_air").to(clips.clean)
        air = _Air(rooms, noise_snr_db, clips.clean.shape[1])
        probes = [air.drawn((OF_CHECKS, room), room) for room in range(min(checked_rooms, len(rooms)))]
    perturbation = momentum = torch.zeros_like(clips.clean)
    if start is not None:
        perturbation = _within(clips.shaped(start["audio"] - clips.clean), radius)
    best, best_share = clips.clean, torch.zeros_like(radius)
    smallest = torch.full_like(radius, torch.inf)
    stood = torch.zeros_like(radius[:, 0], dtype=torch.bool)
    checks = 0
    for iteration in range(1, iterations + 1):
        heard = [air.drawn((OF_STEPS, iteration, number)) for number in range(rooms_per_step)] or [None]
        direction = clips.shaped(_gradient(victim, goal, clips, perturbation, heard))
        stood = stood | (direction == 0).all(1)
        momentum = MOMENTUM * momentum + (1 - MOMENTUM) * direction / norm(direction).clamp_min(1e-30)[:, None]
        step = relative_step * (1 - (iteration - 1) / iterations) * radius
        perturbation = _within(perturbation - step * momentum, radius)
        if iteration % checked_every == 0 or iteration == iterations:
            checks += 1
            tried = clips.rounded(perturbation)
            share = _share_reached(victim, goal, clips, tried, probes)
            met, size = (share > 0) & (share >= needed), norm(tried - clips.clean)[:, None]
            kept = share >= best_share
            if shrink is not None:
                kept = torch.where(smallest.isfinite(), met & (size <= smallest), met | kept)
                smallest = torch.where(met & kept, size, smallest)
                radius = torch.where(met, shrink * torch.minimum(radius, size), radius)
                perturbation = _within(perturbation, radius)
            best, best_share = torch.where(kept, tried, best), torch.where(kept, share, best_share)
    success = ((best_share > 0) & (best_share >= needed))[:, 0]
    steps, passes = (torch.full((len(best),), number) for number in (iterations, iterations * len(heard)))
    forwards = passes + checks * len(probes)
    return Result(inputs | {"audio": best}, success, steps, forwards, passes, stood & ~success)


class _Heard(NamedTuple):
    """A room and noise, both with a first dimension of 1 for all clips alike."""

    response: Tensor
    noise: Tensor
    noise_snr_db: float | None


class _Air:
    """What clips of up to `samples` are heard through."""

    def __init__(self, rooms: Tensor, noise_snr_db: float | None, samples: int):
        self.rooms, self.noise_snr_db, self.samples = rooms, noise_snr_db, samples

    def drawn(self, seed: tuple[int, ...], room: int | None = None) -> _Heard:
        """A room, drawn unless it is given, and noise that begins alike however long it is."""
        rng = np.random.default_rng(seed)
        room = int(rng.integers(len(self.rooms))) if room is None else room
        noise = torch.from_numpy(rng.standard_normal((1, self.samples))).to(self.rooms)
        return _Heard(self.rooms[room : room + 1], noise, self.noise_snr_db)


def _within(perturbation: Tensor, radius: Tensor) -> Tensor:
    """The perturbations, scaled down where they are larger than `radius`."""
    return perturbation * (radius / norm(perturbation).clamp_min(1e-30)[:, None]).clamp_max(1)


def _gradient(victim: Victim, goal: Goal, clips: Clips, perturbation: Tensor, heard: list[_Heard | None]) -> Tensor:
    """Of the mean loss over what is heard, up to a factor; NaN replaced by zero."""
    perturbation = perturbation.detach().requires_grad_()
    inputs, goal = _as_heard(goal, clips, clips.perturbed(perturbation), heard)
    (gradient,) = torch.autograd.grad(victim.loss(victim.logits(inputs), goal).sum(), perturbation)
    return gradient.nan_to_num(0.0, 0.0, 0.0)


def _share_reached(victim: Victim, goal: Goal, clips: Clips, x: Tensor, heard: list[_Heard | None]) -> Tensor:
    """The share (clips, 1) of what is heard whose best path meets the goal."""
    inputs, goal = _as_heard(goal, clips, x, heard)
    with torch.no_grad():
        met = victim.meets(victim.logits(inputs), goal)
    return met.view(len(heard), -1).to(x).mean(0)[:, None]


def _as_heard(goal: Goal, clips: Clips, x: Tensor, heard: list[_Heard | None]) -> tuple[Inputs, Goal]:
    """The clips as they are heard in one room after the other, None being not played, and the goal of each."""
    sounds = torch.cat([x if one is None else played(x, clips.lengths, *one) for one in heard])
    inputs = {"audio": sounds, "audio_length": clips.lengths.repeat(len(heard))}
    return inputs, Goal(goal.labels.repeat(len(heard), 1), True)
