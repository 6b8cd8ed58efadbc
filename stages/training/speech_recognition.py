"""Room of training: the method `speech_recognition`: a recogniser of speech and its texts by CTC, also under attack."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Adam

from stages.decoding.ctc import beam
from stages.frame import progress, weights
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegative, NonNegativeInt, Positive, Range, Share
from stages.learning import loop
from stages.training.task import Outcome, Task, check_outputs, check_room, check_splits
from stages.training.texts import by_texts
from stages.victim import PADDING, Inputs, Victim, characters, ctc, greedy, padded_batch, texts

LARGEST_GRADIENT = 5.0
# What is heard in a clip's log probabilities (steps, classes).
Search = Callable[[np.ndarray], str]


@dataclass(frozen=True, kw_only=True)
class Adversarial:
    """Training on attacks of its own.

    Args:
        alpha: weight of the loss on the clips as they are; the rest is that of the loss on attacked ones.
        snr_db: the lowest and the highest signal-to-noise ratio of an attack; each clip's is drawn from between them.

    Raises:
        UserError: a range that is none.
    """

    alpha: Annotated[float, Range(0, 1, above=True)]
    snr_db: list[float]

    def __post_init__(self) -> None:
        _check_range("adversarial.snr_db", self.snr_db)


@dataclass(frozen=True, kw_only=True)
class NGram:
    """A beam search with a model of the training texts' words; see `stages.decoding.n_gram`."""

    order: Count
    weight: NonNegative
    word_bonus: float


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a recogniser is trained.

    Args:
        seed: of weights, batches and what they are varied by.
        epochs: passes over the training clips.
        batch_size: clips in a batch.
        learning_rate: Adam's first, going down to zero by a cosine.
        shortest_first_epochs: of these, the first so many take the clips in the order of their lengths.
        speed: by which share at most a clip is played faster or slower, its pitch moved with it.
        noise_snr_db: the lowest and the highest signal-to-noise ratio of white noise on a clip; null for none.
        adversarial: of `harden` alone, null for plain training.
        beam_width: of the beam search that is reported beside the most probable path; null for none.
        n_gram: of a second beam search, null for none.

    Raises:
        UserError: a range that is none, an n-gram without a beam.
    """

    seed: NonNegativeInt
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    shortest_first_epochs: NonNegativeInt
    speed: Share
    noise_snr_db: list[float] | None
    adversarial: Adversarial | None
    beam_width: Count | None
    n_gram: NGram | None

    def __post_init__(self) -> None:
        if self.noise_snr_db is not None:
            _check_range("noise_snr_db", self.noise_snr_db)
        if self.n_gram is not None and self.beam_width is None:
            raise UserError(
                "params.yaml: recipes.*.beam_width",
                "a beam_width beside n_gram",
                "null",
                "set one, or n_gram to null",
            )


def _check_range(name: str, limits: list[float]) -> None:
    if len(limits) != 2 or limits[0] > limits[1]:
        raise UserError(f"params.yaml: recipes.*.{name}", "a lowest and a highest value", f"{limits}", "correct it")


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the model, `history.csv` (epoch, loss a character, validation WER of the best path), and `decisions.csv`.

    The decisions are those on all validation and test clips that have a text, other clips are not used at all.

    Raises:
        UserError: an adversarial recipe, a text with a character that is not of the alphabet or too long for its clip.
    """
    if recipe.adversarial is not None:
        raise UserError(
            "params.yaml: recipes.*.adversarial",
            "null to train a recogniser from scratch",
            "a mapping",
            "say what it starts_from",
        )
    torch.manual_seed(recipe.seed)
    return _fit_and_judge(task.build().to(task.device), task, recipe)


def harden(task: Task, recipe: Recipe, start: Victim, against: Victim | None) -> Outcome:
    """Goes on from the model `start` by Eq. 6 of Yang et al. 2020, and writes what `train` writes.

    What is attacked is the model that is trained, as it is at each step; `against` is not used.

    Raises:
        UserError: as `train`, a recipe that is not adversarial, or a model of another alphabet.
    """
    if recipe.adversarial is None:
        raise UserError(
            "params.yaml: recipes.*.adversarial", "alpha and snr_db, to harden a recogniser", "null", "add them"
        )
    if start.labels != task.labels:
        raise UserError(
            "params.yaml: victims.*.starts_from",
            f"a model of the alphabet {''.join(task.labels)!r}",
            repr("".join(start.labels)),
            "train it on the same clips",
        )
    return _fit_and_judge(start.module.requires_grad_(True), task, recipe)


def _fit_and_judge(module: nn.Module, task: Task, recipe: Recipe) -> Outcome:
    table = task.clips.table[task.clips.table.text != ""]
    check_splits(task, table, "clips with a text")
    train, judged = table[table.split == "train"], table[table.split != "train"]
    rate_hz, texts_of_train = task.clips.about["signal"]["sample_rate_hz"], characters(list(train.text), task.labels)
    # They are played so much faster at most.
    samples = torch.tensor((train.duration_s * rate_hz).round().to_numpy() / (1 + recipe.speed)).ceil().long()
    check_room(train.key, texts_of_train, module.steps_of(samples))
    history = _fit(module, task, recipe, train, judged[judged.split == "validation"])
    weights.save(task.finished, module, task.config)
    pd.DataFrame(history).to_csv(task.finished / "history.csv", index=False)
    decided = judged[["key", "clip_id", "split", "speaker", "text", "duration_s"]]
    searches = _searches(task, recipe, list(train.text))
    decided = decided.assign(**_decided(module, task, judged, recipe.batch_size, searches))
    decided.to_csv(task.finished / "decisions.csv", index=False)
    test = decided[decided.split == "test"]
    return by_texts(list(test.text), list(test.decision))


def _fit(module: nn.Module, task: Task, recipe: Recipe, train: pd.DataFrame, validation: pd.DataFrame) -> loop.History:
    from stages.measures.transcripts import wer

    optimiser = Adam(module.parameters(), recipe.learning_rate)
    steps = -(-len(train) // recipe.batch_size)
    done = len(loop.done(task.scratch)) * steps
    with progress.bar(recipe.epochs * steps, "training", "batch", done=done) as bar:
        descent = loop.Descent(module, optimiser, bar)

        def epoch(number: int) -> dict[str, Any]:
            rng = np.random.default_rng([recipe.seed, number])
            torch.manual_seed(int(rng.integers(2**62)))
            order = rng.permutation(len(train))
            if number < recipe.shortest_first_epochs:
                order = np.argsort(train.duration_s.to_numpy(), kind="stable")
            module.train()
            total = 0.0
            for step in range(steps):
                rows = train.iloc[order[step * recipe.batch_size : (step + 1) * recipe.batch_size]]
                inputs = _varied(task, list(rows.key), recipe, rng)
                targets = characters(list(rows.text), task.labels).to(task.device)
                optimiser.zero_grad(set_to_none=True)
                total += _backward(module, inputs, targets, recipe.adversarial, rng) * len(rows)
                rate = _rate((number * steps + step) / (recipe.epochs * steps), recipe)
                descent.move(rate, largest_gradient=LARGEST_GRADIENT)
            decided = _decided(module, task, validation, recipe.batch_size, {}).decision
            wrong = wer(list(validation.text), list(decided))
            return {"epoch": number, "loss": total / len(train), "validation_wer": wrong}

        return loop.run(module, optimiser, recipe.epochs, epoch, scratch=task.scratch)


def _rate(done: float, recipe: Recipe) -> float:
    return recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2


def _backward(
    module: nn.Module, inputs: Inputs, targets: Tensor, attack: Adversarial | None, rng: np.random.Generator
) -> float:
    """Adds the gradients of a batch's loss to the weights; returns the loss, of attacked training that of Eq. 6.

    The pass that trains on the clips as they are also gives the gradient that moves them.
    """
    if attack is None:
        loss = _loss(module, inputs, targets)
        loss.backward()
        return loss.item()
    audio = inputs["audio"].requires_grad_()
    loss = attack.alpha * _loss(module, inputs, targets)
    loss.backward()
    snr_db = torch.from_numpy(rng.uniform(*attack.snr_db, (len(audio), 1))).to(audio)
    attacked = inputs | {"audio": (audio.detach() + _noise_level(inputs, snr_db) * audio.grad.sign()).clamp(-1, 1)}
    attacked_loss = (1 - attack.alpha) * _loss(module, attacked, targets)
    attacked_loss.backward()
    return loss.item() + attacked_loss.item()


def _loss(module: nn.Module, inputs: Inputs, targets: Tensor) -> Tensor:
    """A character's share of the loss of CTC, mean over the clips."""
    return (ctc(module(inputs), targets) / (targets != PADDING).sum(1)).mean()


def _noise_level(inputs: Inputs, snr_db: Tensor) -> Tensor:
    """Root mean square (clips, 1) of noise that is `snr_db` (clips, 1) below each clip."""
    audio = inputs["audio"].detach()
    power = audio.square().sum(1, keepdim=True) / inputs["audio_length"].to(audio)[:, None]
    return (power * 10 ** (-snr_db / 10)).sqrt()


def _batch(task: Task, keys: list[str]) -> Inputs:
    return padded_batch([task.clips.load(key)["audio"] for key in keys], task.device)


def _varied(task: Task, keys: list[str], recipe: Recipe, rng: np.random.Generator) -> Inputs:
    """The clips at other speeds and with noise, as far as the recipe asks for it."""
    factors = 1 + recipe.speed * rng.uniform(-1, 1, len(keys))
    arrays = [_at_speed(task.clips.load(key)["audio"], factor) for key, factor in zip(keys, factors)]
    inputs = padded_batch(arrays, task.device)
    if recipe.noise_snr_db is None:
        return inputs
    audio = inputs["audio"]
    snr_db = torch.from_numpy(rng.uniform(*recipe.noise_snr_db, (len(keys), 1))).to(audio)
    noise = torch.from_numpy(rng.standard_normal(audio.shape, np.float32)).to(audio)
    return inputs | {"audio": (audio + _noise_level(inputs, snr_db) * noise).clamp(-1, 1)}


def _at_speed(waveform: np.ndarray, factor: float) -> np.ndarray:
    """A waveform (samples,) so many times as fast."""
    if factor == 1:
        return waveform
    places = np.arange(0, len(waveform), factor)
    return np.interp(places, np.arange(len(waveform)), waveform).astype(np.float32)


@torch.no_grad()
def _decided(
    module: nn.Module, task: Task, rows: pd.DataFrame, batch_size: int, searches: dict[str, Search]
) -> pd.DataFrame:
    """Texts of the best paths of clips, how sure the network is of them, and what `searches` find, by their columns."""
    module.eval()
    made: list[tuple] = []
    for start in range(0, len(rows), batch_size):
        inputs = _batch(task, list(rows.key.iloc[start : start + batch_size]))
        logits, steps = module(inputs), module.steps_of(inputs["audio_length"])
        labels, confidence = greedy(logits, steps)
        check_outputs(confidence, list(rows.key.iloc[start : start + batch_size]))
        values = zip(logits.log_softmax(-1).cpu().numpy(), steps.tolist())
        found = [[search(one[:count]) for search in searches.values()] for one, count in values]
        made += [(text, sure, *own) for text, sure, own in zip(texts(labels, task.labels), confidence.tolist(), found)]
    return pd.DataFrame(made, columns=["decision", "confidence", *searches], index=rows.index)


def _searches(task: Task, recipe: Recipe, learned_from: list[str]) -> dict[str, Search]:
    """The beam searches that the recipe asks for, by their columns of `decisions.csv`."""
    searches: dict[str, Search] = {}
    if recipe.beam_width is not None:

        def best(log_probabilities: np.ndarray) -> str:
            labels, _ = beam(log_probabilities, width=recipe.beam_width)[0]
            return "".join(task.labels[label] for label in labels)

        searches["decision_beam"] = best
    if recipe.n_gram is not None:
        from stages.decoding import n_gram as words

        model = words.learn(learned_from, order=recipe.n_gram.order)
        given = {"weight": recipe.n_gram.weight, "word_bonus": recipe.n_gram.word_bonus, "model": model}
        searches["decision_n_gram"] = partial(words.beam, width=recipe.beam_width, alphabet=task.labels, **given)
    return searches
