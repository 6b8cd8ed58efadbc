"""Room of pretraining: wav2vec by telling true future frames from others of the same recording (Schneider et al. 2019).

The loss is that of fairseq's code: each context vector predicts the encoder's vectors some steps ahead by one linear
map for each step, beginning where the encoder has heard nothing of the samples behind the context.
"""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, pad
from torch.optim import Adam

from stages.features.audio import read_audio
from stages.frame import progress, weights
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.folders import SOUNDS, files_below, say_not_taken
from stages.frame.memory import Kept
from stages.frame.parameters import Count, NonNegativeInt, Positive, Share
from stages.frame.sound_files import LONGEST_S
from stages.learning import loop
from stages.learning.work import Work
from stages.networks import wav2vec

SAMPLE_RATE_HZ = 16_000
FIRST_RATE = 1e-7
FIRST_BIAS = -0.1
UPDATES_PER_ROUND = 50


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the network is trained.

    Args:
        encoder: see `stages.networks.wav2vec.build`, as of the next three.
        context: see `encoder`.
        skip: see `encoder`.
        log_compression: see `encoder`.
        seed: of weights, crops and negatives.
        updates: of the weights.
        batch_size: crops in a batch.
        crop_s: of each file in a batch, at most; where it begins is drawn.
        learning_rate: Adam's largest; it falls as a cosine after the warm-up.
        warm_up: updates in which the learning rate rises.
        steps: how many frames ahead are predicted.
        negatives: frames of the same crop that each true one is to be told from.
        held_out_share: of the files, chosen by a hash of their names, on which it is judged after each round.
        longest_s: how long a file may be.
    """

    encoder: list[list[Count]]
    context: list[list[Count]]
    skip: bool
    log_compression: bool
    seed: NonNegativeInt
    updates: Count
    batch_size: Count
    crop_s: Positive
    learning_rate: Positive
    warm_up: NonNegativeInt
    steps: Count
    negatives: Count
    held_out_share: Share
    longest_s: Positive = LONGEST_S

    @property
    def shape(self) -> dict:
        """The network's own parameters."""
        return {name: getattr(self, name) for name in ("encoder", "context", "skip", "log_compression")}


def learn(work: Work, recipe: Recipe) -> None:
    """Writes the model that all WAV, FLAC and Ogg files in and below the root teach, at 16 kHz, and its history.

    Raises:
        UserError: there is no file to learn from or to judge on, or crops are too short for all steps.
    """
    files, judged_on = _files(work.root, recipe.held_out_share)
    torch.manual_seed(recipe.seed)
    module = Contrast(wav2vec.build(**recipe.shape), recipe.steps).to(work.device)
    _check_crop(module, recipe.crop_s)
    optimiser = Adam(module.parameters(), recipe.learning_rate)
    crops = _Crops(module, recipe, work.device)
    rounds = loop.rounds_of(recipe.updates, UPDATES_PER_ROUND)
    done = len(loop.done(work.scratch)) * UPDATES_PER_ROUND
    with progress.bar(recipe.updates, "pretraining", "update", done=done) as bar:
        descent = loop.Descent(module, optimiser, bar)

        def one_round(number: int) -> dict[str, float]:
            module.train()
            total = torch.zeros((), device=work.device)
            for update in rounds[number]:
                rng = np.random.default_rng([recipe.seed, update])
                loss, _ = _loss(module, *crops.of(_chosen(files, recipe.batch_size, rng), rng))
                total += descent.step(loss, _rate(update, recipe))
            done = {"update": rounds[number].stop, "loss": total.item() / len(rounds[number])}
            return done | _judged(module, crops, judged_on)

        history = loop.run(module, optimiser, len(rounds), one_round, scratch=work.scratch)
    config = {"network": "wav2vec", "parameters": recipe.shape, "sample_rate_hz": SAMPLE_RATE_HZ}
    weights.save(work.finished, module.network, config)
    pd.DataFrame(history).to_csv(work.finished / "history.csv", index=False)


class Contrast(nn.Module):
    """A wav2vec network with the maps that predict its encoder's vectors."""

    def __init__(self, network: wav2vec.Wav2vec, steps: int):
        super().__init__()
        self.network, self.steps = network, steps
        self.channels = network.encoder_shape[-1][0]
        self.project = nn.Linear(network.dimensions, steps * self.channels)
        # As most candidates are false, predictions begin with what makes all of them improbable.
        nn.init.constant_(self.project.bias, FIRST_BIAS)
        # The first step lies so far ahead that the encoder's windows do not overlap.
        self.offset = math.ceil(network.shortest / network.hop_length)

    def forward(self, audio: Tensor, audio_length: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (crops, steps, frames, 1 + negatives), the true frame's first, and which (crops, steps, frames) exist.

        `draws` (crops, frames, negatives) in [0, 1) say which of the crop's other frames stand against each true one.
        """
        encoded, frames = self.network.encode(audio, audio_length)
        context = self.network.contextualise(encoded, frames)
        predicted = self.project(context.transpose(1, 2)).unflatten(2, (self.steps, self.channels)).transpose(1, 2)
        products = predicted @ encoded[:, None]
        frames, length = frames.to(audio.device), encoded.shape[-1]
        here = torch.arange(length, device=audio.device)
        other = (draws * (frames[:, None, None] - 1)).long()
        other = other + (other >= here[:, None])
        candidates = torch.cat([here.expand(len(audio), -1)[..., None], other], 2)
        ahead = here + self.offset + torch.arange(self.steps, device=audio.device)[:, None]
        exists = ahead < frames[:, None, None]
        wanted = candidates[:, ahead.clamp_max(length - 1)].clamp_max(length - 1)
        return products.gather(3, wanted), exists


def _files(root: Path, held_out_share: float) -> tuple[list[Path], list[Path]]:
    found = files_below(root, SOUNDS)
    say_not_taken(root, found)
    order = sorted(found, key=lambda path: stable_hash(str(path.relative_to(root))))
    held_out = max(1, round(held_out_share * len(order)))
    if len(order) <= held_out:
        raise UserError(
            root,
            f"audio files ({', '.join(sorted(SOUNDS))}) to learn from and others to judge on",
            f"{len(order)}",
            "add some, or correct pretrained.*.root",
        )
    return sorted(order[held_out:]), sorted(order[:held_out])


def _check_crop(module: Contrast, crop_s: float) -> None:
    needed = module.network.shortest + (module.offset + module.steps) * module.network.hop_length
    if crop_s * SAMPLE_RATE_HZ < needed:
        raise UserError(
            "params.yaml: crop_s of contrastive",
            f"at least {needed / SAMPLE_RATE_HZ:.3f}, what {module.steps} steps take",
            f"{crop_s:g}",
            "raise it, or lower steps",
        )


def _chosen(files: list[Path], count: int, rng: np.random.Generator) -> list[Path]:
    return [files[number] for number in rng.choice(len(files), count, count > len(files))]


def _rate(update: int, recipe: Recipe) -> float:
    """The learning rate: a line up to the largest, half a cosine down from it."""
    if update < recipe.warm_up:
        return FIRST_RATE + (recipe.learning_rate - FIRST_RATE) * update / recipe.warm_up
    done = (update - recipe.warm_up) / max(1, recipe.updates - recipe.warm_up)
    return recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2


class _Crops:
    """Cuts crops out of files, and draws what each of their frames is to be told from."""

    def __init__(self, module: Contrast, recipe: Recipe, device: str):
        self.recipe, self.device = recipe, device
        self.longest = round(recipe.crop_s * SAMPLE_RATE_HZ)
        self.frames = int(module.network.frames_of(torch.tensor(self.longest)))
        self._read = Kept(partial(_read, longest_s=recipe.longest_s))

    def of(self, files: list[Path], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (files, samples), their lengths, and what decides which frames stand against which."""
        crops = []
        for file in files:
            waveform = self._read(file)["audio"]
            start = rng.integers(max(1, len(waveform) - self.longest + 1))
            crops.append(torch.tensor(waveform[start : start + self.longest]))
        lengths = torch.tensor([len(crop) for crop in crops])
        audio = torch.stack([pad(crop, (0, self.longest - len(crop))) for crop in crops])
        draws = rng.random((len(files), self.frames, self.recipe.negatives), dtype=np.float32)
        return audio.to(self.device), lengths, torch.from_numpy(draws).to(self.device)


def _read(file: Path, longest_s: float) -> dict[str, np.ndarray]:
    how = {"recorded_at_hz": None, "average_channels": True, "longest_s": longest_s}
    waveform = read_audio(file, sample_rate_hz=SAMPLE_RATE_HZ, **how)
    return {"audio": waveform}


def _loss(module: Contrast, audio: Tensor, lengths: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """The binary cross-entropy of each true frame and those against it, and whether the true one comes out on top."""
    logits, exists = module(audio, lengths, draws)
    truth = torch.zeros_like(logits)
    truth[..., 0] = 1
    losses = binary_cross_entropy_with_logits(logits, truth, reduction="none").sum(-1)
    first = logits[..., :1] > logits[..., 1:]
    return (losses * exists).sum() / exists.sum(), (first.all(-1) & exists).sum() / exists.sum()


@torch.no_grad()
def _judged(module: Contrast, crops: _Crops, files: list[Path]) -> dict[str, float]:
    """Loss and accuracy on files that were not learned from, always the same crops against the same frames."""
    module.eval()
    rng, size = np.random.default_rng(crops.recipe.seed), crops.recipe.batch_size
    parts = [files[start : start + size] for start in range(0, len(files), size)]
    scores = [[value.item() for value in _loss(module, *crops.of(part, rng))] for part in parts]
    loss, accuracy = np.average(scores, axis=0, weights=[len(part) for part in parts])
    return {"held_out_loss": loss, "held_out_accuracy": accuracy}
