"""Tool: how many passes through a network each method of `stages/training` makes."""

from collections.abc import Iterator
from math import ceil
from typing import Any, NamedTuple

# Folds of cross-validation, and what of a sound event's clip is learned from at a time, 128 frames.
FOLDS, CHUNK_S = 5, 2.048
# Forward and backward passes of a clip that is learned from; of one that is attacked for it too, a backward pass to the
# clip and one through both; of one with as much noise.
PLAIN, ATTACKED, NOISY = (1, 1), (2, 3), (2, 2)


class Clips(NamedTuple):
    """How many clips each split of a set has, how long they are in the mean, and how many labels or characters."""

    train: int
    validation: int
    test: int
    clip_s: float
    labels: int

    @property
    def judged(self) -> int:
        """All that are not trained on."""
        return self.validation + self.test

    @property
    def all(self) -> int:
        """All clips."""
        return self.train + self.judged


class Passes(NamedTuple):
    """So many passes of clips of so many seconds through a network, at most so many clips together."""

    network: str
    clip_s: float
    forwards: float
    backwards: float
    batch_size: float


def of_training(method: str, recipe: dict[str, Any], clips: Clips, network: str, against: str) -> Iterator[Passes]:
    """All that training a network by a recipe takes; `against` is the recogniser whose gradient attacks it, if any."""
    made = {
        "classification": _classification,
        "adversarial": _adversarial,
        "cross_validation": _cross_validation,
        "lip_reading": _lip_reading,
        "synchronisation": _synchronisation,
        "speech_recognition": _speech_recognition,
        "enhancement": _enhancement,
    }
    for one in made[method](recipe, clips):
        # A method names a part of its network, or the other one.
        name = against if one.network == "against" else network + one.network
        yield one._replace(network=name, batch_size=one.batch_size * recipe["batch_size"])


def _classification(recipe: dict[str, Any], clips: Clips) -> Iterator[Passes]:
    draws = recipe["epochs"] * max(clips.train, recipe.get("least_batches", 25) * recipe["batch_size"])
    yield Passes("", CHUNK_S, draws, draws, 1)
    yield Passes("", clips.clip_s, recipe["epochs"] * clips.validation + clips.all, 0, 1)


def _adversarial(recipe: dict[str, Any], clips: Clips) -> Iterator[Passes]:
    way = {"single": PLAIN, "noise": NOISY}.get(recipe["regime"], ATTACKED)
    models = {"single": 1, "noise": 2}.get(recipe["regime"], len(recipe["epsilons"]))
    # What comes before attacks is done once for all; and all twice, for development and for the test.
    common = min(recipe["adversarial_from"], recipe["iterations"])
    own = models * (recipe["iterations"] - common)
    yield Passes("", clips.clip_s, *(2 * recipe["batch_size"] * (common + own * one) for one in way), 1)


def _cross_validation(recipe: dict[str, Any], clips: Clips) -> Iterator[Passes]:
    for model in recipe["models"]:
        sizes = {recipe["few"]} - {None} | (set(recipe["curve"]) if model in recipe["curve_of"] else set())
        for stacked in [len(sizes) + 1] + [1] * (model in recipe["shuffled_texts_of"]):
            models = FOLDS * recipe["draws"] * stacked
            count = recipe["iterations"] * recipe["batch_size"] * models
            yield Passes(f"/{model}", clips.clip_s, count, count, models)


def _lip_reading(recipe: dict[str, Any], clips: Clips) -> Iterator[Passes]:
    # Each clip that is judged is decided on in five ways.
    yield _epochs(recipe, clips, ways=5)


def _synchronisation(recipe: dict[str, Any], clips: Clips) -> Iterator[Passes]:
    yield _epochs(recipe, clips)


def _speech_recognition(recipe: dict[str, Any], clips: Clips) -> Iterator[Passes]:
    yield _epochs(recipe, clips, way=PLAIN if recipe["adversarial"] is None else ATTACKED)


def _epochs(recipe: dict[str, Any], clips: Clips, *, way: tuple[int, int] = PLAIN, ways: int = 1) -> Passes:
    forwards, backwards = (recipe["epochs"] * clips.train * one for one in way)
    judged = recipe["epochs"] * clips.validation + ways * clips.judged
    return Passes("", clips.clip_s, forwards + judged, backwards, 1)


def _enhancement(recipe: dict[str, Any], clips: Clips) -> Iterator[Passes]:
    count = recipe["iterations"] * recipe["batch_size"]
    hardened = recipe["adversarial"] is not None
    yield Passes("", recipe["crop_s"], *(count * one for one in (NOISY if hardened else PLAIN)), 1)
    if hardened:
        yield Passes("against", clips.clip_s, count, count, 1)
    rounds = ceil(recipe["iterations"] / recipe["iterations_per_round"])
    yield Passes("", clips.clip_s, rounds * clips.validation + clips.judged, 0, 1)
