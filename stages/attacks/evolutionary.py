"""Room of attacks: a phrase put into a transcript by evolution, without gradients, under a bound on the SNR.

After Khare et al. (Interspeech 2019), but in two stages. Evolution strategies (Wierstra et al. 2014) first look for the
phrase alone: NSGA-II (Deb et al. 2002) by itself hardly comes nearer to it. Then the paper's two objectives are
followed by NSGA-II from there. What both vary, see `stages.attacks.mel_pieces`.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from stages.attacking.problem import Result, Setting, norm
from stages.attacks.clips import SAMPLE_RATE_HZ, Clips
from stages.attacks.mel_pieces import Pieces
from stages.features.mfcc import Mfcc
from stages.features.playback import played
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive, Range, Share
from stages.measures.transcripts import word_error_counts
from stages.victim import Goal, Inputs, Victim

# Of the evolution strategies: the standard deviation of the draws, the momentum of the direction, by what share steps
# are shorter in the end, and in rooms how many generations pass between two hearings of the middle.
DEVIATION, MOMENTUM, SLOWING = 0.1, 0.9, 0.8
CHECKED_EVERY = 10
# Of NSGA-II: how quiet the quietest of the first members is, and the standard deviation of what every second one has
# besides; of a mutation the median step and share of the genes, and the standard deviations of the logarithms of step,
# share and of the factor on all genes.
QUIETEST, FIRST_DEVIATION = 0.6, 0.1
STEP, STEP_VARIES = 0.15, 1.0
SHARE, SHARE_VARIES = 0.03, 0.7
LOUDNESS_VARIES = 0.1
# What is drawn apart: by the evolution strategies of files and in rooms, by NSGA-II, and the noise in rooms.
OF_FILES, IN_ROOMS, OF_REFINING, OF_NOISE = range(4)


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
    relative_step: Positive,
    generations_in_rooms: NonNegativeInt,
    relative_step_in_rooms: Positive,
    checked_rooms: Count,
    needed: Share,
    refinements: NonNegativeInt,
    bands: Count,
    segment_s: Positive,
    band_hz: list[float] | None,
    noise_snr_db: float | None,
) -> Result:
    """Evolution strategies until the phrase is written, then NSGA-II for what is nearest to the clean clip.

    First pairs of members, as far on the one side of a middle as on the other, are heard as files, and the middle moves
    down the slope that their objectives tell, within the bound, until the victim writes the phrase for one of them.
    Then, with `generations_in_rooms`, it moves on so that the phrase is written for what is played: each pair is heard
    in a room and under a noise drawn for it, the same for both, and now and then the middle in the first
    `checked_rooms` rooms, until it is written in a share `needed` of them.

    If so, NSGA-II goes on from there, on that objective (in rooms its mean over the checked ones) and on the Euclidean
    distance of MFCCs from the clean clip's, over all frames and coefficients (`stages.features.mfcc`); returned is the
    member nearest to the clean clip of all those for which the phrase was written (in rooms, often enough). Otherwise
    it is the last middle, or the one that did best in rooms. `success` is whether it says the phrase as a file.

    A population is one batch through the victim. A clip is attacked by itself, at random by a hash of its samples and
    the phrase. `forwards` has the waveforms heard, `iterations` the generations of all stages.

    Args:
        victim, inputs, goal, setting: as for every attack; the victim decides texts, of `audio` and `audio_length`.
            `quantum` is needed, and `rooms` where clips are played.
        snr_db: the lowest signal-to-noise ratio that the perturbation may have, over the clip's own length.
        objective: `edit_distance`, the characters to be changed in the transcript for the phrase (Khare et al.), or
            `over_the_air_loss`, the CTC loss of the phrase (Yakura & Sakuma 2019, Eq. 4).
        population: members of a generation, an even number.
        generations: at most so many of files.
        relative_step: the middle's first step, relative to the bound; the last is a fifth of it.
        generations_in_rooms: at most so many; 0 for clips heard as files alone.
        relative_step_in_rooms: the first step there.
        checked_rooms: at most so many rooms of a check.
        needed: the share of them in which the phrase must be written.
        refinements: generations of NSGA-II.
        bands: parts of the band, equally wide in mels.
        segment_s: from one amplitude of a band to the next; it is linear between them.
        band_hz: lowest and highest frequency of the perturbation; null for all.
        noise_snr_db: how far the white noise in a room is below what is heard there; null for none.

    Raises:
        UserError: the goal is untargeted, `population` is odd, or `band_hz` is no band.
    """
    if not goal.targeted:
        raise UserError("attack evolutionary", "the goal targeted", "untargeted", "use another attack")
    if population % 2:
        where = "params.yaml: population of attack evolutionary"
        raise UserError(where, "an even number, as members are drawn in pairs", f"{population}", "correct it")
    of_files = _Strategy(generations, relative_step, OF_FILES)
    of_rooms = _Strategy(generations_in_rooms, relative_step_in_rooms, IN_ROOMS)
    rooms = setting.needed("rooms", "evolutionary").to(inputs["audio"]) if generations_in_rooms else None
    adversarial = inputs["audio"].clone()
    success = torch.zeros(len(adversarial), dtype=torch.bool)
    iterations, forwards, none = (torch.zeros(len(adversarial), dtype=torch.long) for _ in range(3))
    for row, length in enumerate(inputs["audio_length"].tolist()):
        own = {"audio": inputs["audio"][row : row + 1, :length], "audio_length": inputs["audio_length"][row : row + 1]}
        pieces = Pieces(Clips(own, setting, band_hz), snr_db=snr_db, bands=bands, segment_s=segment_s)
        clip = _Clip(victim, pieces, goal.labels[row : row + 1], objective, population)
        with torch.inference_mode():
            genes, found = _written(clip, of_files)
            hearing = clip.heard
            if rooms is not None:
                air = _Air(clip, rooms, checked_rooms, noise_snr_db)
                hearing = air.heard_in_checked
                genes, found = _written_in_rooms(clip, air, genes, of_rooms, needed)
            made = _refined(clip, hearing, genes, needed, refinements) if found else pieces.added(genes[None])[0]
            success[row] = bool(clip.heard(made[None])[1])
        adversarial[row, :length] = made
        iterations[row], forwards[row] = clip.generations, clip.queries
    return Result(inputs | {"audio": adversarial}, success, iterations, forwards, none, zero_gradient=none.bool())


class _Strategy(NamedTuple):
    """At most so many generations of evolution strategies, their first step, and which random numbers they take."""

    generations: int
    relative_step: float
    stream: int


class _Clip:
    """A clip in pieces, a phrase (1, characters), and how near waveforms (members, samples) are to either.

    It counts the waveforms that the victim has heard, and the generations.
    """

    def __init__(self, victim: Victim, pieces: Pieces, phrase: Tensor, objective: str, population: int):
        self.victim, self.pieces, self.phrase, self.objective = victim, pieces, phrase, objective
        self.population = population
        (self.text,) = victim.names(phrase)
        clean = pieces.clip.clean
        self.seed = stable_hash(f"{clean.cpu().numpy().tobytes().hex()} {self.text}")
        self.mfcc = Mfcc(sample_rate_hz=SAMPLE_RATE_HZ).to(clean.device)
        self.clean_mfcc = self.mfcc(clean, _lengths(clean))
        self.queries = self.generations = 0

    def random(self, *stream: int) -> np.random.Generator:
        """Random numbers of the clip and the phrase, others for each `stream`."""
        return np.random.default_rng((self.seed, *stream))

    def mfcc_distance(self, waveforms: Tensor) -> np.ndarray:
        """How far they are from the clean clip (members,)."""
        return norm(self.mfcc(waveforms, _lengths(waveforms)) - self.clean_mfcc).double().cpu().numpy()

    def heard(self, waveforms: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """How far what is written is from the phrase, by the objective, and whether it is the phrase, 1.0 or 0.0."""
        self.queries += len(waveforms)
        logits = self.victim.logits({"audio": waveforms, "audio_length": _lengths(waveforms)})
        goal = Goal(self.phrase.repeat(len(waveforms), 1), targeted=True)
        says = self.victim.meets(logits, goal).double().cpu().numpy()
        if self.objective == "over_the_air_loss":
            return self.victim.loss(logits, goal).double().cpu().numpy(), says
        return edit_distances(self.text, self.victim.names(self.victim.decode(logits)[0])).astype(float), says


class _Air:
    """The rooms and the noise that a clip's waveforms are heard in."""

    def __init__(self, clip: _Clip, rooms: Tensor, checked: int, noise_snr_db: float | None):
        self.clip, self.rooms, self.noise_snr_db = clip, rooms, noise_snr_db
        self.checked = range(min(checked, len(rooms)))

    def drawn(self, waveforms: Tensor, rng: np.random.Generator) -> Tensor:
        """Pairs, their second halves after all first ones: each in a room and under a noise of its own."""
        pairs = len(waveforms) // 2
        rooms, noise = rng.integers(len(self.rooms), size=pairs), rng.standard_normal((pairs, waveforms.shape[1]))
        return self._played(waveforms, np.tile(rooms, 2), np.tile(noise, (2, 1)))

    def heard_in_checked(self, waveforms: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The mean over the checked rooms of how far each is from the phrase, and of whether it is written there."""
        heard = [self.clip.heard(self._in_checked(waveforms, room)) for room in self.checked]
        return tuple(np.mean(values, 0) for values in zip(*heard))

    def _in_checked(self, waveforms: Tensor, room: int) -> Tensor:
        noise = self.clip.random(OF_NOISE, room).standard_normal((1, waveforms.shape[1]))
        return self._played(waveforms, [room], noise)

    def _played(self, waveforms: Tensor, rooms: np.ndarray | list[int], noise: np.ndarray) -> Tensor:
        noise = torch.from_numpy(noise).to(waveforms)
        return played(waveforms, _lengths(waveforms), self.rooms[rooms], noise, self.noise_snr_db)


def _written(clip: _Clip, strategy: _Strategy) -> tuple[np.ndarray, bool]:
    """The genes of the first member of which the file is written as the phrase, else of the last middle."""
    last = np.zeros(clip.pieces.genes)
    for middle, members, says in _descent(clip, last, strategy, lambda waveforms, rng: waveforms):
        if says.any():
            return members[says.argmax()], True
        last = middle
    return last, False


def _written_in_rooms(
    clip: _Clip, air: _Air, genes: np.ndarray, strategy: _Strategy, needed: float
) -> tuple[np.ndarray, bool]:
    """The genes of the first middle that is written as the phrase in enough rooms, else of the last of the best."""
    best, best_share = genes, 0.0
    for number, (middle, _, _) in enumerate(_descent(clip, genes, strategy, air.drawn)):
        if number % CHECKED_EVERY == 0:
            _, (share,) = air.heard_in_checked(clip.pieces.added(middle[None]))
            if share >= best_share:
                best, best_share = middle, share
            if _enough(share, needed):
                return middle, True
    return best, False


def _descent(
    clip: _Clip, middle: np.ndarray, strategy: _Strategy, play: Callable[[Tensor, np.random.Generator], Tensor]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each generation the middle (genes,), the members (members, genes), and which are written as the phrase."""
    rng, momentum = clip.random(strategy.stream), np.zeros_like(middle)
    for generation in range(strategy.generations):
        draws = rng.standard_normal((clip.population // 2, len(middle)))
        members = clip.pieces.within(middle + DEVIATION * np.concatenate([draws, -draws]))
        values, says = clip.heard(play(clip.pieces.added(members), rng))
        clip.generations += 1
        yield middle, members, says
        one_side, other_side = values.reshape(2, -1)
        momentum = MOMENTUM * momentum + (1 - MOMENTUM) * _unit((one_side - other_side) @ draws)
        step = strategy.relative_step * (1 - SLOWING * generation / strategy.generations) * len(middle) ** 0.5
        (middle,) = clip.pieces.within((middle - step * _unit(momentum))[None])


def _refined(
    clip: _Clip,
    hearing: Callable[[Tensor], tuple[np.ndarray, np.ndarray]],
    genes: np.ndarray,
    needed: float,
    refinements: int,
) -> Tensor:
    """Of all that is written as the phrase, where `hearing` hears it, the waveform nearest to the clean clip."""
    from pymoo.core.problem import Problem
    from pymoo.problems.static import StaticProblem

    (best,) = clip.pieces.added(genes[None])
    (least,) = clip.mfcc_distance(best[None])
    problem = Problem(n_var=len(genes), n_obj=2)
    algorithm = _nsga2(problem, clip, genes)
    for _ in range(refinements):
        members = algorithm.ask()
        waveforms = clip.pieces.added(members.get("X"))
        distances, (values, shares) = clip.mfcc_distance(waveforms), hearing(waveforms)
        clip.generations += 1
        algorithm.evaluator.eval(StaticProblem(problem, F=np.stack([distances, values], 1)), members)
        algorithm.tell(infills=members)
        distances = np.where(_enough(shares, needed), distances, np.inf)
        if distances.min() < least:
            best, least = waveforms[distances.argmin()], distances.min()
    return best


def _nsga2(problem, clip: _Clip, genes: np.ndarray):
    """The algorithm, ready to be asked; its first members are around the genes, one quieter than the other."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.crossover import Crossover
    from pymoo.core.mutation import Mutation

    segments = clip.pieces.segments

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

    rng = clip.random(OF_REFINING)
    first = np.linspace(1, QUIETEST, clip.population)[:, None] * genes
    first[1::2] += FIRST_DEVIATION * rng.standard_normal(first[1::2].shape)
    algorithm = NSGA2(
        pop_size=clip.population,
        sampling=first,
        crossover=OfSegments(),
        mutation=OfSomeGenes(),
        eliminate_duplicates=False,
    )
    return algorithm.setup(problem, termination=("n_gen", np.inf), seed=int(rng.integers(2**31)))


def _enough(share: np.ndarray, needed: float) -> np.ndarray:
    """Whether the phrase is written in so many of the rooms, and in any at all."""
    return (share > 0) & (share >= needed)


def _unit(vector: np.ndarray) -> np.ndarray:
    """The vector at length one; one of zeros as it is."""
    return vector / max(np.linalg.norm(vector), 1e-30)


def _lengths(waveforms: Tensor) -> Tensor:
    """The lengths (members,) of waveforms (members, samples), which are all alike."""
    return torch.full((len(waveforms),), waveforms.shape[1])


def edit_distances(reference: str, hypotheses: list[str]) -> np.ndarray:
    """How many characters each hypothesis has too many, too few or wrong (hypotheses,)."""
    spelled = [" ".join(text.replace(" ", "_")) for text in [reference, *hypotheses]]
    return word_error_counts(spelled[:1] * len(hypotheses), spelled[1:])[:, 0]
