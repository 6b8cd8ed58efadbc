"""Room of pretraining: wav2vec by telling true future frames from others of the same recording (Schneider et al. 2019).

The loss is that of fairseq's code: each context vector predicts the encoder's vectors some steps ahead by one linear map
for each step, beginning where the encoder has heard nothing of the samples behind the context.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from stages.features.audio import read_audio
from stages.frame import progress
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive, Share
from stages.networks import wav2vec
from stages.training import loop

SAMPLE_RATE_HZ = 16_000
FIRST_RATE = 1e-7
FIRST_BIAS = -0.1
SUFFIXES = (".wav", ".flac", ".ogg")
UPDATES_PER_ROUND = 50


@dataclass(frozen=True)
class Recipe:
    """How the network is trained; see `learn`."""

    seed: int
    updates: int
    batch_size: int
    crop_s: float
    learning_rate: float
    warm_up: int
    steps: int
    negatives: int
    held_out_share: float


def learn(
    root: Path,
    finished: Path,
    scratch: Path,
    device: str,
    *,
    encoder: list[list[Count]],
    context: list[list[Count]],
    skip: bool,
    log_compression: bool,
    seed: NonNegativeInt,
    updates: Count,
    batch_size: Count,
    crop_s: Positive,
    learning_rate: Positive,
    warm_up: NonNegativeInt,
    steps: Count,
    negatives: Count,
    held_out_share: Share,
) -> None:
    """Writes the model that all audio files in and below `root`, at 16 kHz, teach, and its history.

    Args:
        root: a folder of WAV, FLAC or Ogg files.
        finished: where the model goes.
        scratch: where unfinished work stays.
        device: where it runs.
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

    Raises:
        UserError: there is no file to learn from or to judge on, or crops are too short for all steps.
    """
    shape = {"encoder": encoder, "context": context, "skip": skip, "log_compression": log_compression}
    recipe = Recipe(seed, updates, batch_size, crop_s, learning_rate, warm_up, steps, negatives, held_out_share)
    files, judged_on = _files(root, held_out_share)
    torch.manual_seed(seed)
    module = Contrast(wav2vec.build(**shape), steps).to(device)
    _check_crop(module, crop_s)
    optimiser = torch.optim.Adam(module.parameters(), learning_rate)
    rounds = -(-updates // UPDATES_PER_ROUND)
    with progress.bar(updates, "pretraining", "update", done=len(loop.done(scratch)) * UPDATES_PER_ROUND) as bar:

        def work(number: int) -> dict[str, float]:
            own = range(number * UPDATES_PER_ROUND, min((number + 1) * UPDATES_PER_ROUND, updates))
            loss = _round(module, optimiser, recipe, files, own, device, bar)
            return {"update": own.stop, "loss": loss} | _judged(module, recipe, judged_on, device)

        history = loop.run(module, optimiser, rounds, work, scratch=scratch, device=device)
    _save(finished, module.network, shape)
    pd.DataFrame(history).to_csv(finished / "history.csv", index=False)


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
    found = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    order = sorted(found, key=lambda path: stable_hash(str(path.relative_to(root))))
    held_out = max(1, round(held_out_share * len(order)))
    if len(order) <= held_out:
        raise UserError(
            root,
            expected=f"audio files ({', '.join(SUFFIXES)}) to learn from and others to judge on",
            found=f"{len(order)}",
            do="add some, or correct pretrained.*.root",
        )
    return sorted(order[held_out:]), sorted(order[:held_out])


def _check_crop(module: Contrast, crop_s: float) -> None:
    needed = module.network.shortest + (module.offset + module.steps) * module.network.hop_length
    if crop_s * SAMPLE_RATE_HZ < needed:
        raise UserError(
            "params.yaml: crop_s of contrastive",
            expected=f"at least {needed / SAMPLE_RATE_HZ:.3f}, what {module.steps} steps take",
            found=f"{crop_s:g}",
            do="raise it, or lower steps",
        )


def _round(module: Contrast, optimiser, recipe: Recipe, files: list[Path], updates: range, device: str, bar) -> float:
    module.train()
    total = torch.zeros((), device=device)
    for update in updates:
        for group in optimiser.param_groups:
            group["lr"] = _rate(update, recipe)
        rng = np.random.default_rng([recipe.seed, update])
        chosen = [files[number] for number in rng.choice(len(files), recipe.batch_size, recipe.batch_size > len(files))]
        loss, _ = _loss(module, *_batch(module, chosen, recipe, rng, device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += loss.detach()
        bar.update()
    return total.item() / len(updates)


def _rate(update: int, recipe: Recipe) -> float:
    """The learning rate: a line up to the largest, half a cosine down from it."""
    if update < recipe.warm_up:
        return FIRST_RATE + (recipe.learning_rate - FIRST_RATE) * update / recipe.warm_up
    done = (update - recipe.warm_up) / max(1, recipe.updates - recipe.warm_up)
    return recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2


def _batch(
    module: Contrast, files: list[Path], recipe: Recipe, rng: np.random.Generator, device: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Crops (files, samples), their lengths, and what decides which frames stand against which."""
    longest = round(recipe.crop_s * SAMPLE_RATE_HZ)
    crops = []
    for file in files:
        waveform = read_audio(file, sample_rate_hz=SAMPLE_RATE_HZ, recorded_at_hz=None, average_channels=True)
        start = rng.integers(max(1, len(waveform) - longest + 1))
        crops.append(torch.from_numpy(waveform[start : start + longest]))
    lengths = torch.tensor([len(crop) for crop in crops])
    audio = torch.stack([pad(crop, (0, longest - len(crop))) for crop in crops])
    frames = int(module.network.frames_of(torch.tensor(longest)))
    draws = rng.random((len(files), frames, recipe.negatives), dtype=np.float32)
    return audio.to(device), lengths, torch.from_numpy(draws).to(device)


def _loss(module: Contrast, audio: Tensor, lengths: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """The binary cross-entropy of each true frame and those against it, and whether the true one comes out on top."""
    logits, exists = module(audio, lengths, draws)
    truth = torch.zeros_like(logits)
    truth[..., 0] = 1
    losses = binary_cross_entropy_with_logits(logits, truth, reduction="none").sum(-1)
    first = logits[..., :1] > logits[..., 1:]
    return (losses * exists).sum() / exists.sum(), (first.all(-1) & exists).sum() / exists.sum()


@torch.no_grad()
def _judged(module: Contrast, recipe: Recipe, files: list[Path], device: str) -> dict[str, float]:
    """Loss and accuracy on files that were not learned from, always the same crops against the same frames."""
    module.eval()
    rng = np.random.default_rng(recipe.seed)
    parts = [files[start : start + recipe.batch_size] for start in range(0, len(files), recipe.batch_size)]
    scores = [[value.item() for value in _loss(module, *_batch(module, part, recipe, rng, device))] for part in parts]
    loss, accuracy = np.average(scores, axis=0, weights=[len(part) for part in parts])
    return {"held_out_loss": loss, "held_out_accuracy": accuracy}


def _save(folder: Path, network: nn.Module, shape: dict) -> None:
    from safetensors.torch import save_file

    state = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
    save_file(state, folder / "weights.safetensors")
    config = {"network": "wav2vec", "parameters": shape, "sample_rate_hz": SAMPLE_RATE_HZ}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
