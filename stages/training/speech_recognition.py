"""Room of training: the method `speech_recognition`, which fits a recogniser of speech to texts by CTC, also under attack."""

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from stages import victim
from stages.decoding import ctc as ctc_search
from stages.frame import parameters, progress
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegative, NonNegativeInt, Positive, Range, Share
from stages.training import loop
from stages.training.task import Task
from stages.victim import PADDING, Inputs, characters, ctc, padded_batch

LARGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class Adversarial:
    """Training on attacks of its own; made by `adversarial`."""

    alpha: float
    snr_db: list[float]


@dataclass(frozen=True)
class NGram:
    """A beam search with a model of words; made by `n_gram`."""

    order: int
    weight: float
    word_bonus: float


@dataclass(frozen=True)
class Recipe:
    """How a recogniser is trained; made by `recipe`."""

    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    shortest_first_epochs: int
    speed: float
    noise_snr_db: list[float] | None
    adversarial: Adversarial | None
    beam_width: int | None
    n_gram: NGram | None


def recipe(
    *,
    seed: NonNegativeInt,
    epochs: Count,
    batch_size: Count,
    learning_rate: Positive,
    shortest_first_epochs: NonNegativeInt,
    speed: Share,
    noise_snr_db: list[float] | None,
    adversarial: dict | None,
    beam_width: Count | None,
    n_gram: dict | None,
) -> Recipe:
    """The recipe with checked values.

    Args:
        seed: of weights, batches and what they are varied by.
        epochs: passes over the training clips.
        batch_size: clips in a batch.
        learning_rate: Adam's first, going down to zero by a cosine.
        shortest_first_epochs: of these, the first so many take the clips in the order of their lengths.
        speed: by which share at most a clip is played faster or slower, its pitch moved with it.
        noise_snr_db: the lowest and the highest signal-to-noise ratio of white noise on a clip; null for none.
        adversarial: of `harden` alone, null for plain training: see `adversarial`.
        beam_width: of the beam search that is reported beside the most probable path; null for none.
        n_gram: of a second beam search, null for none: see `n_gram`.

    Raises:
        UserError: a wrong entry of one of the mappings, a range that is none, an n-gram without a beam.
    """
    values = locals()
    if noise_snr_db is not None:
        _check_range("recipes.*.noise_snr_db", noise_snr_db)
    if n_gram is not None and beam_width is None:
        what = {"expected": "a beam_width beside n_gram", "found": "null"}
        raise UserError("params.yaml: recipes.*.beam_width", **what, do="set one, or n_gram to null")
    makers = {"adversarial": globals()["adversarial"], "n_gram": globals()["n_gram"]}
    bound = {
        name: parameters.bind(make, f"recipes.*.{name}", values[name])()
        for name, make in makers.items()
        if values[name] is not None
    }
    return Recipe(**values | bound)


def adversarial(*, alpha: Annotated[float, Range(0, 1, above=True)], snr_db: list[float]) -> Adversarial:
    """The checked values of adversarial training.

    Args:
        alpha: weight of the loss on the clips as they are; the rest is that of the loss on attacked ones.
        snr_db: the lowest and the highest signal-to-noise ratio of an attack; each clip's is drawn from between them.
    """
    _check_range("recipes.*.adversarial.snr_db", snr_db)
    return Adversarial(alpha, snr_db)


def n_gram(*, order: Count, weight: NonNegative, word_bonus: float) -> NGram:
    """The checked values of the beam search with a model of the training texts' words; see `stages.decoding.n_gram`."""
    return NGram(order, weight, word_bonus)


def _check_range(where: str, limits: list[float]) -> None:
    if len(limits) != 2 or limits[0] > limits[1]:
        raise UserError(
            f"params.yaml: {where}", expected="a lowest and a highest value", found=f"{limits}", do="correct it"
        )


def train(task: Task, recipe: Recipe) -> None:
    """Writes the model, `history.csv` (epoch, loss a character, validation WER of the best path), and `decisions.csv`.

    The decisions are those on all validation and test clips that have a text, other clips are not used at all.

    Raises:
        UserError: an adversarial recipe, a text with a character that is not of the alphabet or too long for its clip.
    """
    if recipe.adversarial is not None:
        what = {"expected": "null to train a recogniser from scratch", "found": "a mapping"}
        raise UserError("params.yaml: recipes.*.adversarial", **what, do="harden the trained model with this recipe")
    torch.manual_seed(recipe.seed)
    _fit_and_judge(task.build().to(task.device), task, recipe)


def harden(task: Task, recipe: Recipe, start: Path, recogniser: victim.Transcriber) -> None:
    """Goes on from the model in `start` by Eq. 6 of Yang et al. 2020, and writes what `train` writes.

    What is attacked is the model that is trained, as it is at each step; the given `recogniser` is not used.

    Raises:
        UserError: as `train`, a recipe that is not adversarial, or a model of another alphabet.
    """
    if recipe.adversarial is None:
        what = {"expected": "alpha and snr_db, to harden a recogniser", "found": "null"}
        raise UserError("params.yaml: recipes.*.adversarial", **what, do="add them")
    begun = victim.load(start, network=task.config["network"], device=task.device)
    if begun.labels != task.labels:
        what = {"expected": f"the alphabet {''.join(task.labels)!r}", "found": repr("".join(begun.labels))}
        raise UserError(start, **what, do="train it on the same clips")
    _fit_and_judge(begun.module.requires_grad_(True), task, recipe)


def _fit_and_judge(module: nn.Module, task: Task, recipe: Recipe) -> None:
    table = task.clips.table[task.clips.table.text != ""]
    train, judged = table[table.split == "train"], table[table.split != "train"]
    _check_lengths(module, train, task)
    history = _fit(module, task, recipe, train, judged[judged.split == "validation"])
    victim.save(task.finished, module, task.config)
    pd.DataFrame(history).to_csv(task.finished / "history.csv", index=False)
    decided = judged[["key", "clip_id", "split", "speaker", "text", "duration_s"]]
    decided = decided.assign(**_decisions(module, task, judged, recipe, list(train.text)))
    decided.to_csv(task.finished / "decisions.csv", index=False)


def _check_lengths(module: nn.Module, rows: pd.DataFrame, task: Task) -> None:
    """Passes clips that have a step for each character, and one more between two that are the same."""
    samples = torch.tensor((rows.duration_s * task.clips.about["signal"]["sample_rate_hz"]).round().to_numpy()).long()
    needed = [len(text) + sum(one == other for one, other in itertools.pairwise(text)) for text in rows.text]
    for key, steps, least in zip(rows.key, module.steps_of(samples).tolist(), needed):
        if steps < least:
            what = {"expected": f"at least {least} steps for its text", "found": f"{steps}"}
            raise UserError(f"clip {key}", **what, do="leave it out of the corpus")


def _fit(module: nn.Module, task: Task, recipe: Recipe, train: pd.DataFrame, validation: pd.DataFrame) -> loop.History:
    from stages.measures.transcripts import wer

    optimiser = torch.optim.Adam(module.parameters(), recipe.learning_rate)
    steps = -(-len(train) // recipe.batch_size)
    done = len(loop.done(task.scratch)) * steps
    with progress.bar(recipe.epochs * steps, "training", "batch", done=done) as bar:

        def epoch(number: int) -> dict[str, Any]:
            rng = np.random.default_rng([recipe.seed, number])
            torch.manual_seed(int(rng.integers(2**62)))
            order = rng.permutation(len(train))
            if number < recipe.shortest_first_epochs:
                order = np.argsort(train.duration_s.to_numpy(), kind="stable")
            module.train()
            total = 0.0
            for step in range(steps):
                progressed = (number * steps + step) / (recipe.epochs * steps)
                optimiser.param_groups[0]["lr"] = recipe.learning_rate * (1 + math.cos(math.pi * progressed)) / 2
                rows = train.iloc[order[step * recipe.batch_size : (step + 1) * recipe.batch_size]]
                inputs = _varied(task, list(rows.key), recipe, rng)
                targets = characters(list(rows.text), task.labels).to(task.device)
                optimiser.zero_grad(set_to_none=True)
                total += _backward(module, inputs, targets, recipe.adversarial, rng) * len(rows)
                nn.utils.clip_grad_norm_(module.parameters(), LARGEST_GRADIENT)
                optimiser.step()
                bar.update()
            decided = _decided(module, task, validation, recipe.batch_size).decision
            wrong = wer(list(validation.text), list(decided))
            return {"epoch": number, "loss": total / len(train), "validation_wer": wrong}

        return loop.run(module, optimiser, recipe.epochs, epoch, scratch=task.scratch, device=task.device)


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
def _decided(module: nn.Module, task: Task, rows: pd.DataFrame, batch_size: int) -> pd.DataFrame:
    """Texts of the best paths of clips, how sure the network is of them, and log probabilities (steps, classes)."""
    module.eval()
    made: list[tuple[str, float, np.ndarray]] = []
    for start in range(0, len(rows), batch_size):
        inputs = _batch(task, list(rows.key.iloc[start : start + batch_size]))
        logits, steps = module(inputs), module.steps_of(inputs["audio_length"])
        labels, confidence = ctc_search.greedy(logits, steps)
        values = [one[:count] for one, count in zip(logits.log_softmax(-1).cpu().numpy(), steps.tolist())]
        made += zip(ctc_search.texts(labels, task.labels), confidence.tolist(), values)
    return pd.DataFrame(made, columns=["decision", "confidence", "log_probabilities"], index=rows.index)


def _decisions(
    module: nn.Module, task: Task, rows: pd.DataFrame, recipe: Recipe, learned_from: list[str]
) -> dict[str, Any]:
    """Columns of `decisions.csv`: of the best path, and of the beam searches that the recipe asks for."""
    decided = _decided(module, task, rows, recipe.batch_size)
    made = {"decision": decided.decision, "confidence": decided.confidence}
    if recipe.beam_width is not None:
        best = [ctc_search.beam(one, width=recipe.beam_width)[0][0] for one in decided.log_probabilities]
        made["decision_beam"] = ["".join(task.labels[label] for label in labels) for labels in best]
    if recipe.n_gram is not None:
        from stages.decoding import n_gram as words

        model = words.learn(learned_from, order=recipe.n_gram.order)
        given = {"weight": recipe.n_gram.weight, "word_bonus": recipe.n_gram.word_bonus, "model": model}
        made["decision_n_gram"] = [
            words.beam(one, width=recipe.beam_width, alphabet=task.labels, **given) for one in decided.log_probabilities
        ]
    return made
