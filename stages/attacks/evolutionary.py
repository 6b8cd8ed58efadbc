"""Room of attacks: a phrase put into a transcript by evolution, without gradients, under a bound on the SNR.

After Khare et al. (Interspeech 2019). Not their variables: NSGA-II (Deb et al. 2002) varies how loud a few tones are at
intervals of time, about a hundred numbers. As many queries lower the loss further so than with a number for each
sample, or with more tones and intervals.
"""

from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from stages.attacking.problem import Result, Setting, norm
from stages.attacks.clips import SAMPLE_RATE_HZ, Clips
from stages.features.mfcc import Mfcc
from stages.features.playback import played
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive, Range
from stages.measures.transcripts import word_error_counts
from stages.victim import Goal, Inputs, Victim

# Genes are in units in which, with all tones at 1, a perturbation is about as large as the bound. The standard
# deviation of the loudest of the first members' genes; of a mutation the median step and share of the genes, and the
# standard deviations of the logarithms of step, share and of the factor on all genes.
FIRST_DEVIATION = 1.0
STEP, STEP_VARIES = 1.0, 1.0
SHARE, SHARE_VARIES = 0.05, 0.7
LOUDNESS_VARIES = 0.1


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    snr_db: float,
    objective: Literal["edit_distance", "over_the_air_loss"],
    population: Annotated[int, Range(2)],
    generations: Count,
    tones: Count,
    segment_s: Positive,
    band_hz: list[float] | None,
    rooms_per_generation: NonNegativeInt,
    noise_snr_db: float | None,
) -> Result:
    """NSGA-II on two objectives: the distance of MFCCs from the clean clip's, and one of how near the phrase is.

    The first is Euclidean, over all frames and coefficients (`stages.features.mfcc`). All of a generation are heard in
    the same rooms, drawn anew for each generation, under the same noise, and its second objective is the mean over
    them; who survives keeps the value of its own generation. A population is one batch through the victim, for each
    room. A clip is attacked by itself, at random by a hash of its samples and the phrase.

    Returned is of the last population the one nearest to the clean clip, of those of which the victim writes the phrase
    when it hears them as they are; where none is, the one whose second objective is least, and `success` is False.
    `forwards` has the waveforms heard.

    Args:
        victim, inputs, goal, setting: as for every attack; the victim decides texts, of `audio` and `audio_length`.
            `quantum` is needed, and `rooms` where clips are played.
        snr_db: the lowest signal-to-noise ratio that the perturbation may have, over the clip's own length.
        objective: `edit_distance`, the characters to be changed in the transcript for the phrase (Khare et al.), or
            `over_the_air_loss`, the CTC loss of the phrase (Yakura & Sakuma 2019, Eq. 4).
        population: members, and children in each generation.
        generations: with the first.
        tones: how many, equally far apart in mels.
        segment_s: from one value of a tone's loudness to the next; it is linear between them.
        band_hz: lowest and highest frequency of the perturbation; null for all.
        rooms_per_generation: 0 for clips heard as they are.
        noise_snr_db: how far the white noise in a room is below what is heard there; null for none.

    Raises:
        UserError: the goal is untargeted, or `band_hz` is no band.
    """
    if not goal.targeted:
        raise UserError("attack evolutionary", "the goal targeted", "untargeted", "use another attack")
    audio, lengths = inputs["audio"], inputs["audio_length"]
    adversarial = audio.clone()
    success = torch.zeros(len(audio), dtype=torch.bool)
    rooms = setting.needed("rooms", "evolutionary").to(audio) if rooms_per_generation else None
    for row, length in enumerate(lengths.tolist()):
        own = Clips({"audio": audio[row : row + 1, :length], "audio_length": lengths[row : row + 1]}, setting, band_hz)
        clip = _Clip(victim, own.clean, goal.labels[row : row + 1], objective)
        sounds = _Tones(own, snr_db, tones, segment_s, clip.seed)
        air = _Air(rooms, rooms_per_generation, noise_snr_db, clip.seed)
        adversarial[row, :length], success[row] = _evolved(clip, sounds, air, population, generations)
    none = torch.zeros(len(audio), dtype=torch.long)
    forwards = population * (generations * max(1, rooms_per_generation) + 1)
    return Result(
        inputs | {"audio": adversarial}, success, none + generations, none + forwards, none, zero_gradient=none.bool()
    )


class _Clip:
    """A clip (1, samples), a phrase (1, characters), and how far waveforms (members, samples) are from either."""

    def __init__(self, victim: Victim, clean: Tensor, phrase: Tensor, objective: str):
        self.victim, self.phrase, self.objective = victim, phrase, objective
        (self.text,) = victim.names(phrase)
        self.seed = stable_hash(f"{clean.cpu().numpy().tobytes().hex()} {self.text}")
        self.mfcc = Mfcc(sample_rate_hz=SAMPLE_RATE_HZ).to(clean.device)
        self.clean_mfcc = self.mfcc(clean, _lengths(clean))

    def mfcc_distance(self, waveforms: Tensor) -> Tensor:
        """The first objective (members,)."""
        return norm(self.mfcc(waveforms, _lengths(waveforms)) - self.clean_mfcc)

    def distance_to_phrase(self, waveforms: Tensor) -> Tensor:
        """The second objective (members,)."""
        if self.objective == "over_the_air_loss":
            return self.victim.loss(self._logits(waveforms), self._goal(waveforms)).cpu()
        return torch.from_numpy(
            edit_distances(self.text, self.victim.names(self.victim.decode(self._logits(waveforms))[0]))
        )

    def says_phrase(self, waveforms: Tensor) -> Tensor:
        """Whether the victim writes the phrase, (members,)."""
        return self.victim.meets(self._logits(waveforms), self._goal(waveforms)).cpu()

    def _logits(self, waveforms: Tensor) -> Tensor:
        return self.victim.logits(_inputs(waveforms))

    def _goal(self, waveforms: Tensor) -> Goal:
        return Goal(self.phrase.repeat(len(waveforms), 1), targeted=True)


class _Tones:
    """From genes (members, segments * tones) to perturbations (members, samples) within the bound.

    A gene is a tone's signed amplitude at one time. With random genes of unit variance a perturbation is about as large
    as the bound; larger ones are scaled down to it.
    """

    def __init__(self, clip: Clips, snr_db: float, tones: int, segment_s: float, seed: int):
        self.clip, self.samples, self.radius = clip, clip.clean.shape[1], clip.radius(snr_db)
        self.hop = round(segment_s * SAMPLE_RATE_HZ)
        # A segment's tones rise from nothing before it and fall to nothing after it; the first begins before the clip.
        self.segments = -(-self.samples // self.hop) + 1
        self.genes = self.segments * tones
        time = np.arange((self.segments + 1) * self.hop) / SAMPLE_RATE_HZ
        phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, tones)[:, None]
        carriers = np.sin(2 * np.pi * _centres_hz(tones, clip.band_hz)[:, None] * time + phase)
        rise = (np.arange(self.hop) + 0.5) / self.hop
        pieces = np.lib.stride_tricks.sliding_window_view(carriers, 2 * self.hop, axis=1)[:, :: self.hop]
        pieces = pieces * np.concatenate([rise, 1 - rise]) / np.sqrt(tones * self.samples / 2)
        self.pieces = torch.from_numpy(pieces.transpose(1, 0, 2).copy()).to(clip.clean)

    def added(self, genes: np.ndarray) -> Tensor:
        """The clip with them, as 16-bit files (members, samples)."""
        return self.clip.rounded(self._perturbation(genes))

    def _perturbation(self, genes: np.ndarray) -> Tensor:
        amplitudes = torch.from_numpy(genes).to(self.pieces).unflatten(1, (self.segments, -1)).transpose(0, 1)
        rising, falling = (amplitudes @ self.pieces).chunk(2, -1)
        added = (rising[1:] + falling[:-1]).transpose(0, 1).flatten(1)[:, : self.samples]
        added = self.radius * self.clip.shaped(added)
        return added * (self.radius / norm(added).clamp_min(1e-30)[:, None]).clamp_max(1)


class _Air:
    """The rooms and the noise that a generation is heard in."""

    def __init__(self, rooms: Tensor | None, count: int, noise_snr_db: float | None, seed: int):
        self.rooms, self.count, self.noise_snr_db, self.seed = rooms, count, noise_snr_db, seed

    def heard(self, waveforms: Tensor, generation: int) -> list[Tensor]:
        """Waveforms (members, samples), in each of the generation's rooms."""
        if not self.count:
            return [waveforms]
        rng = np.random.default_rng((self.seed, generation))
        chosen = rng.choice(len(self.rooms), self.count, replace=self.count > len(self.rooms))
        noises = torch.from_numpy(rng.standard_normal((self.count, 1, waveforms.shape[1]))).to(waveforms)
        return [
            played(waveforms, _lengths(waveforms), self.rooms[[room]], noise, self.noise_snr_db)
            for room, noise in zip(chosen, noises)
        ]


@torch.no_grad()
def _evolved(clip: _Clip, sounds: _Tones, air: _Air, population: int, generations: int) -> tuple[Tensor, bool]:
    """The waveform (samples,) that is returned, and whether it says the phrase."""
    from pymoo.core.problem import Problem
    from pymoo.problems.static import StaticProblem

    problem = Problem(n_var=sounds.genes, n_obj=2)
    algorithm = _nsga2(problem, population, sounds.segments, clip.seed)
    for generation in range(generations):
        children = algorithm.ask()
        waveforms = sounds.added(children.get("X"))
        near = [clip.distance_to_phrase(heard) for heard in air.heard(waveforms, generation)]
        both = np.stack([clip.mfcc_distance(waveforms).cpu(), torch.stack(near).double().mean(0)], 1)
        algorithm.evaluator.eval(StaticProblem(problem, F=both), children)
        algorithm.tell(infills=children)
    waveforms = sounds.added(algorithm.pop.get("X"))
    distance, second = torch.from_numpy(algorithm.pop.get("F")).T
    says = clip.says_phrase(waveforms)
    chosen = torch.where(says, distance, torch.inf).argmin() if says.any() else second.argmin()
    return waveforms[chosen], bool(says.any())


def _nsga2(problem, population: int, segments: int, seed: int):
    """The algorithm, ready to be asked."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.crossover import Crossover
    from pymoo.core.mutation import Mutation
    from pymoo.core.sampling import Sampling

    class FromQuietToLoud(Sampling):
        """Random genes, of members that are one louder than the other."""

        def _do(self, problem, n_samples, *args, random_state, **kwargs):
            loudness = FIRST_DEVIATION * np.arange(1, n_samples + 1)[:, None] / n_samples
            return loudness * random_state.standard_normal((n_samples, problem.n_var))

    class OfSegments(Crossover):
        """Two members exchange what lies between two moments."""

        def __init__(self):
            super().__init__(n_parents=2, n_offsprings=2, prob=0.9)

        def _do(self, problem, X, *args, random_state, **kwargs):
            begin, end = np.sort(random_state.integers(0, segments + 1, (2, X.shape[1], 1)), axis=0)
            segment = np.repeat(np.arange(segments), problem.n_var // segments)
            exchanged = (segment >= begin) & (segment < end)
            return np.where(exchanged, X[::-1], X)

    class OfSomeGenes(Mutation):
        """A normal step of some genes and a factor on all, different from member to member."""

        def _do(self, problem, X, *args, random_state, **kwargs):
            varied = random_state.standard_normal((3, len(X), 1))
            factor, share, step = np.exp(np.array([LOUDNESS_VARIES, SHARE_VARIES, STEP_VARIES])[:, None, None] * varied)
            mutated = random_state.random(X.shape) < SHARE * share
            return factor * X + mutated * STEP * step * random_state.standard_normal(X.shape)

    algorithm = NSGA2(
        pop_size=population,
        sampling=FromQuietToLoud(),
        crossover=OfSegments(),
        mutation=OfSomeGenes(),
        eliminate_duplicates=False,
    )
    return algorithm.setup(problem, termination=("n_gen", np.inf), seed=seed)


def _inputs(waveforms: Tensor) -> Inputs:
    return {"audio": waveforms, "audio_length": _lengths(waveforms)}


def _lengths(waveforms: Tensor) -> Tensor:
    """The lengths (members,) of waveforms (members, samples), which are all alike."""
    return torch.full((len(waveforms),), waveforms.shape[1])


def edit_distances(reference: str, hypotheses: list[str]) -> np.ndarray:
    """How many characters each hypothesis has too many, too few or wrong (hypotheses,)."""
    spelled = [" ".join(text.replace(" ", "_")) for text in [reference, *hypotheses]]
    return word_error_counts(spelled[:1] * len(hypotheses), spelled[1:])[:, 0]


def _centres_hz(tones: int, band_hz: list[float] | None) -> np.ndarray:
    """The frequencies (tones,), in the middle of parts of the band that are equally wide in mels."""
    low, high = 2595 * np.log10(1 + np.array(band_hz or [0, SAMPLE_RATE_HZ / 2]) / 700)
    return 700 * (10 ** ((low + (high - low) * (np.arange(tones) + 0.5) / tones) / 2595) - 1)
