"""Room of training: the method `lip_reading`, which fits a recogniser of words or sentences to mouths and sound."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import Adam

from stages import victim
from stages.decoding.ctc import Grammar, beam
from stages.features.video import FRAMES_PER_S
from stages.frame import progress, weights
from stages.frame.modules import find
from stages.frame.parameters import Count, NonNegativeInt, Positive, Share
from stages.frame.shards import ShardSet
from stages.learning import loop
from stages.networks.lip_reader import SAMPLES_PER_FRAME, LipReader
from stages.training import augmentation
from stages.training.task import Outcome, Task, by_share, check_outputs, check_room, check_splits, check_two_labels
from stages.training.texts import by_texts
from stages.victim import PADDING, Inputs, characters, ctc, padded_batch

LARGEST_GRADIENT = 5.0
# The share of all steps in which the learning rate rises.
WARM_UP = 0.3
# Values of each stream that a frame has.
STREAMS = {"video": 1, "audio": SAMPLES_PER_FRAME}


@dataclass(frozen=True)
class Way:
    """How clips are decided on: `without` one of the streams, the sound `snr_db` above white noise (None: clean)."""

    without: str = ""
    snr_db: float | None = None


BOTH = Way()
# What the columns of the decisions end with.
WAYS = {
    "": BOTH,
    "_audio_alone": Way("video"),
    "_video_alone": Way("audio"),
    "_0_db": Way(snr_db=0.0),
    "_audio_alone_0_db": Way("video", snr_db=0.0),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a recogniser is trained.

    Args:
        seed: of weights, batches and what they are varied by.
        epochs: passes over the training clips.
        batch_size: clips in a batch.
        learning_rate: Adam's first, going down to zero by a cosine.
        label_smoothing: of words, see `torch.nn.functional.cross_entropy`.
        ctc_from_epoch: for texts, when the loss of CTC, a character's share of it, joins that of each step's character,
            which the words' known times give. CTC alone hardly starts.
        shifted_frames: by how many frames at most a word is not in the middle; of a sentence, how much more than its
            words is heard and seen, on either side of the longest of a batch.
        noise: on both streams.
        sounds: besides the speaker's.
        beam_width: for texts, of the beam search that is reported beside the most probable path; null for none.
        grammar: the file in `stages/decoding` whose sentences a second beam search keeps to; null for none.
    """

    seed: NonNegativeInt
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    label_smoothing: Share
    ctc_from_epoch: NonNegativeInt
    shifted_frames: NonNegativeInt
    noise: augmentation.Noise
    sounds: augmentation.Sounds
    beam_width: Count | None
    grammar: str | None


@dataclass(frozen=True)
class Epoch:
    """One pass over the training clips: its number, and what all that is random in it is drawn from."""

    number: int
    rng: np.random.Generator


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the one model, its history, and its decisions in all `WAYS` on all validation and test clips.

    The model is listed in `members.csv` (member, judged_by, judged_on, attacked_at, kept), once for each split that it
    is attacked on.

    Raises:
        UserError: a split is empty, there is one label alone, or a text has no room in its clip.
    """
    check_splits(task, task.clips.table, "clips")
    torch.manual_seed(recipe.seed)
    module = task.build().to(task.device)
    if module.text:
        _check_room(module, task, recipe)
    else:
        check_two_labels(task)
    history = _fit(module, task, recipe)
    folder = task.finished / "model"
    folder.mkdir()
    weights.save(folder, module, task.config)
    pd.DataFrame(history).to_csv(task.finished / "history.csv", index=False)
    judged = task.clips.table[task.clips.table.split != "train"]
    decided = judged[["key", "clip_id", "split", "speaker", "label", "text"]]
    decided = decided.assign(**_decisions(module, task, judged, recipe))
    decided.to_csv(task.finished / "decisions.csv", index=False)
    member = {"member": folder.name, "judged_by": "split"}
    members = [member | {"judged_on": split, "attacked_at": "", "kept": True} for split in ("validation", "test")]
    pd.DataFrame(members).to_csv(task.finished / "members.csv", index=False)
    return _outcome(decided[decided.split == "test"])


def _outcome(test: pd.DataFrame) -> Outcome:
    if not any(test.label):
        return by_texts(list(test.text), list(test.decision))
    chance = test.label.value_counts(normalize=True).max()
    return by_share("accuracy", (test.decision == test.label).mean(), chance=chance, clips=len(test))


def _fit(module: LipReader, task: Task, recipe: Recipe) -> loop.History:
    table = task.clips.table
    train, validation = table[table.split == "train"], table[table.split == "validation"]
    optimiser = Adam(module.parameters(), recipe.learning_rate)
    steps = -(-len(train) // recipe.batch_size)
    done = len(loop.done(task.scratch)) * steps
    with progress.bar(recipe.epochs * steps, "training", "batch", done=done) as bar:
        descent = loop.Descent(module, optimiser, bar)

        def epoch(number: int) -> dict[str, Any]:
            this = Epoch(number, np.random.default_rng([recipe.seed, number]))
            torch.manual_seed(int(this.rng.integers(2**62)))
            order, total = this.rng.permutation(len(train)), 0.0
            module.train()
            for step in range(steps):
                rate = _rate((number * steps + step) / (recipe.epochs * steps), recipe)
                rows = train.iloc[order[step * recipe.batch_size : (step + 1) * recipe.batch_size]]
                loss = _loss(module, rows, task, recipe, this)
                total += descent.step(loss, rate, largest_gradient=LARGEST_GRADIENT).item() * len(rows)
            wrong = _error_rate(_decided(module, task, validation, recipe.batch_size), validation)
            return {"epoch": number, "loss": total / len(train), "validation_error": wrong}

        return loop.run(module, optimiser, recipe.epochs, epoch, scratch=task.scratch)


def _rate(done: float, recipe: Recipe) -> float:
    """One cycle: up to the recipe's rate along a line, and down to zero by a cosine."""
    if done < WARM_UP:
        return recipe.learning_rate * done / WARM_UP
    return recipe.learning_rate * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2


def _loss(module: LipReader, rows: pd.DataFrame, task: Task, recipe: Recipe, epoch: Epoch) -> Tensor:
    """The mean of the losses by both streams, by the sound alone and by the picture alone.

    So each is learned from the first batch on, by the work of one; by both alone the picture would hardly be looked at.
    """
    inputs, shifts = _varied(module, rows, task, recipe, epoch.rng)
    streams, inside = module.streams(inputs), module.inside(inputs)
    ways = [streams, *({name: stream} for name, stream in streams.items())]
    logits = [module.fused(way, inputs["video_length"]) for way in ways]
    if not module.text:
        truth = torch.tensor([task.labels.index(label) for label in rows.label], device=task.device)
        losses = [
            cross_entropy(module.decided(one, inside), truth, label_smoothing=recipe.label_smoothing) for one in logits
        ]
        return torch.stack(losses).mean()
    aligned = [
        aligned_characters(row, inside.shape[1], module.steps_per_frame, task.labels, shift)
        for row, shift in zip(rows.word_times, shifts)
    ]
    truth = torch.stack(aligned).to(task.device)[inside]
    losses = [cross_entropy(one[inside], truth) for one in logits]
    if epoch.number >= recipe.ctc_from_epoch:
        targets = characters(list(rows.text), task.labels).to(task.device)
        counts = (targets != PADDING).sum(1)
        losses += [(ctc(module.decided(one, inside), targets) / counts).mean() for one in logits]
    return torch.stack(losses).sum() / len(logits)


def _varied(
    module: LipReader, rows: pd.DataFrame, task: Task, recipe: Recipe, rng: np.random.Generator
) -> tuple[Inputs, np.ndarray]:
    """A batch with all that varies it, and by how many frames each clip is later than it was."""
    keys = list(rows.key)
    if module.text:
        windows = _around_words(rows, recipe.shifted_frames, rng)
        inputs, shifts = _batch(task.clips, keys, task.device, windows=windows), -windows[0]
    else:
        shifts = rng.integers(-recipe.shifted_frames, recipe.shifted_frames + 1, len(rows))
        inputs = _shifted(_batch(task.clips, keys, task.device), shifts)
    inputs = augmentation.with_sounds(augmentation.varied(inputs, module.side, rng), recipe.sounds, rng)
    return augmentation.with_noise(inputs, recipe.noise, rng), shifts


def aligned_characters(word_times: str, steps: int, steps_per_frame: int, alphabet: list[str], shift: int) -> Tensor:
    """The character at each step (steps,), from the times of a clip's words `shift` frames later; else the blank.

    A word's characters, the space after it, and a blank between two that are the same share its time evenly.
    """
    blank = len(alphabet)
    labels = torch.full((steps,), blank)
    words = [one.split() for one in word_times.split(";")]
    for number, (word, start_s, end_s) in enumerate(words):
        path: list[int] = []
        for character in word + " " * (number < len(words) - 1):
            label = alphabet.index(character)
            path += [blank, label] if path[-1:] == [label] else [label]
        ends = [(float(second) * FRAMES_PER_S + shift) * steps_per_frame for second in (start_s, end_s)]
        edges = np.linspace(*ends, len(path) + 1).round().astype(int).clip(0, steps)
        for label, first, last in zip(path, edges, edges[1:]):
            labels[first:last] = label
    return labels


def _around_words(rows: pd.DataFrame, margin: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """From where, and how many, frames of each clip hold all its words and some `margin`; as many of each clip."""
    frames, first, last = _frames(rows)
    length = min(int((last - first).max()) + 2 * margin, int(frames.min()))
    low, high = np.maximum(last - length, 0), np.minimum(first, frames - length)
    return rng.integers(np.minimum(low, high), high + 1), length


def _frames(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many frames clips have, the first one of their words, and the one after the last."""
    frames = (FRAMES_PER_S * rows.duration_s).round().astype(int).to_numpy()
    words = [[one.split() for one in times.split(";")] for times in rows.word_times]
    # Times in hundredths of a second, whose products with 25 are not quite what they should be.
    first = np.array([math.floor(round(FRAMES_PER_S * float(own[0][1]), 6)) for own in words])
    last = np.array([math.ceil(round(FRAMES_PER_S * float(own[-1][2]), 6)) for own in words])
    return frames, first, last


def _check_room(module: LipReader, task: Task, recipe: Recipe) -> None:
    """Passes training clips whose texts have room in the fewest frames that a batch can have of them."""
    rows = task.clips.table[task.clips.table.split == "train"]
    frames, first, last = _frames(rows)
    seen = np.minimum(last - first + 2 * recipe.shifted_frames, frames.min())
    labels = characters(list(rows.text), task.labels)
    check_room(list(rows.key), labels, torch.from_numpy(seen) * module.steps_per_frame)


def _batch(
    clips: ShardSet,
    keys: list[str],
    device: str,
    without: str = "",
    windows: tuple[np.ndarray, int] | None = None,
) -> Inputs:
    """Both streams of the clips or `without` one of them; all of each clip, or `windows` of it: starts and length."""
    loaded = [clips.load(key) for key in keys]
    if windows is not None:
        starts, length = windows
        loaded = [
            {name: one[name][per * start : per * (start + length)] for name, per in STREAMS.items()}
            for one, start in zip(loaded, starts)
        ]
    batches = [padded_batch([one[name] for one in loaded], device, name) for name in STREAMS if name != without]
    length = torch.tensor([len(one["video"]) for one in loaded])
    return {name: value for batch in batches for name, value in batch.items()} | {"video_length": length}


def _shifted(inputs: Inputs, frames: np.ndarray) -> Inputs:
    """The streams later by so many frames each, going round."""
    moved = {
        name: torch.stack([clip.roll(int(shift) * scale, 0) for clip, shift in zip(inputs[name], frames)])
        for name, scale in STREAMS.items()
    }
    return inputs | moved


@torch.no_grad()
def _decided(module: LipReader, task: Task, rows: pd.DataFrame, batch_size: int, way: Way = BOTH) -> pd.DataFrame:
    """Decisions and confidences on clips."""
    module.eval()
    reader = (victim.Transcriber if module.text else victim.Victim)(module, task.labels, bounds={})
    module.requires_grad_(True)
    made = []
    for keys, inputs in _batches(task, rows, batch_size, way):
        label, confidence = reader.decide(inputs)
        check_outputs(confidence, keys)
        made += zip(keys, reader.names(label), confidence.tolist())
    return pd.DataFrame(made, columns=["key", "decision", "confidence"], index=rows.index)


def _batches(task: Task, rows: pd.DataFrame, batch_size: int, way: Way) -> Iterator[tuple[list[str], Inputs]]:
    for start in range(0, len(rows), batch_size):
        keys = list(rows.key.iloc[start : start + batch_size])
        inputs = _batch(task.clips, keys, task.device, way.without)
        yield keys, inputs if way.snr_db is None else augmentation.in_white_noise(inputs, way.snr_db, start)


def _decisions(module: LipReader, task: Task, rows: pd.DataFrame, recipe: Recipe) -> dict[str, Any]:
    decided = {name: _decided(module, task, rows, recipe.batch_size, way) for name, way in WAYS.items()}
    made = {f"decision{name}": one.decision for name, one in decided.items()}
    return made | {"confidence": decided[""].confidence, **_searched(module, task, rows, recipe)}


@torch.no_grad()
def _searched(module: LipReader, task: Task, rows: pd.DataFrame, recipe: Recipe) -> dict[str, list[str]]:
    """Decisions of beam search, and of one that keeps to a grammar, as far as the recipe asks for them.

    Of the picture alone there is the latter only.
    """
    if not module.text or recipe.beam_width is None:
        return {}
    searches: dict[str, tuple[Way, Grammar | None]] = {"_beam": (BOTH, None)}
    if recipe.grammar is not None:
        grammar = find("decoding", recipe.grammar, "grammar", where="recipes.*.grammar")("".join(task.labels))
        searches |= {"_grammar": (BOTH, grammar), "_video_alone_grammar": (WAYS["_video_alone"], grammar)}
    decided: dict[str, list[str]] = {}
    for name, (way, grammar) in searches.items():
        decided[f"decision{name}"] = own = []
        for _, inputs in _batches(task, rows, recipe.batch_size, way):
            for logits in module(inputs).log_softmax(-1).cpu().numpy():
                best = beam(logits, width=recipe.beam_width, grammar=grammar)
                own.append("".join(task.labels[label] for label in best[0][0]) if best else "")
    return decided


def _error_rate(decided: pd.DataFrame, rows: pd.DataFrame) -> float:
    """The share of words that are wrong, or for texts the word error rate."""
    if any(rows.label):
        return float((decided.decision != rows.label).mean())
    from stages.measures.transcripts import wer

    return wer(list(rows.text), list(decided.decision))
