"""Room of training: the method `synchronisation`, which teaches a SyncNet which sounds go with what it sees."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize, pairwise_distance
from torch.optim import Adam

from stages.detection.lip_sync import synchrony
from stages.features.video import SAMPLES_PER_FRAME
from stages.frame import progress, weights
from stages.frame.clip_table import SPLITS, stable_hash
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive
from stages.frame.shards import ShardSet
from stages.learning import loop
from stages.networks.syncnet import FRAMES
from stages.training import augmentation
from stages.training.task import Outcome, Task, by_share, check_outputs, check_splits
from stages.victim import Inputs, padded_batch

FIRST_SCALE = 10.0
# Share of the learning rate that is left at the end.
LAST_RATE = 0.02
LARGEST_OFFSET, SHIFTS = 10, 15
LEAST_FRAMES = FRAMES + LARGEST_OFFSET


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a SyncNet is trained.

    Args:
        seed: of weights, batches, augmentation and noise.
        epochs: passes over the training clips.
        batch_size: clips in a batch.
        learning_rate: Adam's first; it falls as a cosine to a fiftieth.
        loss: `multiway`, to tell each window's partner from all others of the clip, or `contrastive`, from one of them.
        margin: how far apart the contrastive loss wants what does not belong together.
        noise: on clips, null for none.
    """

    seed: NonNegativeInt
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    loss: Literal["multiway", "contrastive"]
    margin: Positive
    noise: augmentation.Noise | None


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the one network, its history, and `offsets.csv`, what `offsets` finds in the splits validation and test.

    Raises:
        UserError: a network of faces, a clip of under 15 frames, or a split of under two clips.
    """
    keys = {split: list(task.clips.table.key[task.clips.table.split == split]) for split in SPLITS}
    check_splits(task, task.clips.table, "clips", least=2)
    torch.manual_seed(recipe.seed)
    pair = Pair(task.build()).to(task.device)
    if pair.network.sees != "video":
        raise UserError(
            "method synchronisation",
            "a network that sees mouths",
            f"one that sees {pair.network.sees}",
            "name another, or convert this one: published_syncnet",
        )
    history = _fit(pair, task, keys, recipe)
    weights.save(task.finished, pair.network, task.config)
    pd.DataFrame(history).to_csv(task.finished / "history.csv", index=False)
    found = pd.concat([_offsets(pair, task, keys[split], recipe).assign(split=split) for split in SPLITS[1:]])
    found.to_csv(task.finished / "offsets.csv", index=False)
    test = found[(found.split == "test") & found.true_offset.notna()]
    right = ((test.offset - test.true_offset).abs() <= 1).mean()
    chance = 3 / (2 * SHIFTS + 1)
    return by_share("offsets within one frame", float(right), chance=chance, clips=test.key.nunique())


def _fit(pair: "Pair", task: Task, keys: dict[str, list[str]], recipe: Recipe) -> loop.History:
    optimiser = Adam(pair.parameters(), recipe.learning_rate)
    starts = range(0, len(keys["train"]), recipe.batch_size)
    finished = len(loop.done(task.scratch)) * len(starts)
    with progress.bar(recipe.epochs * len(starts), "training", "batch", done=finished) as bar:
        descent = loop.Descent(pair, optimiser, bar)

        def epoch(number: int) -> dict[str, float]:
            rng = np.random.default_rng([recipe.seed, number])
            order = rng.permutation(len(keys["train"]))
            pair.train()
            total = torch.zeros((), device=task.device)
            for step, start in enumerate(starts, number * len(starts)):
                chosen = [keys["train"][row] for row in order[start : start + recipe.batch_size]]
                loss = _loss(pair, _batch(task, chosen, rng), recipe, rng)
                total += descent.step(loss, _rate(step / (recipe.epochs * len(starts)), recipe)) * len(chosen)
            found = _offsets(pair, task, keys["validation"], recipe)
            return {"epoch": number, "loss": total.item() / len(keys["train"])} | _summary(found)

        return loop.run(pair, optimiser, recipe.epochs, epoch, scratch=task.scratch)


def _offsets(pair: "Pair", task: Task, keys: list[str], recipe: Recipe) -> pd.DataFrame:
    return offsets(pair.network, task.clips, keys, recipe.batch_size, task.device)


@torch.no_grad()
def offsets(network: nn.Module, clips: ShardSet, keys: list[str], batch_size: int, device: str) -> pd.DataFrame:
    """Offset, confidence and distance of clips brought out of time, and of clips with the sound of others.

    One row for each clip and each `true_offset` of -10 to 10 frames, by which the sound (positive) or the picture
    (negative) is cut at its beginning: the windows that remain are those of the whole clip, so it goes through the
    network once. And one row a clip with the sound of another one, `audio_of`, and no true offset. Of 15 shifts in both
    directions, over valid pairs.
    """
    network.eval()
    keys = sorted(keys, key=stable_hash)
    made = []
    for start in range(0, len(keys), batch_size):
        own = keys[start : start + batch_size]
        others = [*own[1:], keys[(start + len(own)) % len(keys)]]
        arrays = [_load(clips, key) for key in (*own, others[-1])]
        seen = network.video_embeddings(padded_batch([video for video, _ in arrays[:-1]], device, "video")["video"])
        heard = network.audio_embeddings(padded_batch([audio for _, audio in arrays], device)["audio"])
        for said in (seen, heard):
            check_outputs(said, own)
        windows = torch.tensor([len(video) - FRAMES + 1 for video, _ in arrays])
        for late in range(-LARGEST_OFFSET, LARGEST_OFFSET + 1):
            out_of_time = seen[:, max(0, -late) :], heard[:-1, max(0, late) :]
            made.append(_found(*out_of_time, windows[:-1] - abs(late), key=own, audio_of=own, true_offset=late))
        shorter = torch.minimum(windows[:-1], windows[1:])
        made.append(_found(seen, heard[1:], shorter, key=own, audio_of=others, true_offset=None))
    return pd.concat(made).sort_values(["key", "true_offset"], ignore_index=True)


def _found(seen: Tensor, heard: Tensor, windows: Tensor, **what) -> pd.DataFrame:
    """The offsets of clips whose embeddings have not as many windows on both sides, with the columns `what` before."""
    longest = int(windows.max())
    found = synchrony(seen[:, :longest], heard[:, :longest], windows, shifts=SHIFTS, pairs="valid")
    values = {name: getattr(found, name).tolist() for name in ("offset", "confidence", "distance")}
    return pd.DataFrame({**what, **values}).astype({"true_offset": "Int64"})


def _summary(found: pd.DataFrame) -> dict[str, float]:
    """For the history: shares of offsets found within a frame and exactly, confidences with own and others' sound."""
    own = found[found.true_offset.notna()]
    error = (own.offset - own.true_offset).abs()
    return {
        "validation_within_one_frame": float((error <= 1).mean()),
        "validation_exact": float((error == 0).mean()),
        "validation_confidence": float(own.confidence[own.true_offset == 0].mean()),
        "validation_confidence_of_others": float(found.confidence[found.true_offset.isna()].mean()),
    }


class Pair(nn.Module):
    """A network with the scale of cosines that the multi-way loss learns."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.scale = nn.Parameter(torch.tensor(FIRST_SCALE))


def multiway(video: Tensor, audio: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of each window's partner among all windows of its clip, in both directions (Chung et al. 2019).

    Of embeddings (clips, windows, dimensions). Logits are scaled cosines, as in that group's later code; what that adds
    to all of them, and learns too, cancels out.
    """
    cosines = scale * normalize(video, dim=2) @ normalize(audio, dim=2).mT
    truth = torch.arange(video.shape[1], device=video.device).expand(video.shape[:2])
    return (cross_entropy(cosines, truth) + cross_entropy(cosines.mT, truth)) / 2


def contrastive(video: Tensor, audio: Tensor, partner: Tensor, margin: float) -> Tensor:
    """Half of the squared distances of what belongs together, and of what others lack to the margin (SyncNet's loss).

    `partner` (clips, windows) says which other window of audio each one of video is to be far from.
    """
    other = audio.gather(1, partner[..., None].expand_as(audio))
    lacking = (margin - pairwise_distance(video, other)).clamp_min(0)
    return (pairwise_distance(video, audio).square() + lacking.square()).mean() / 2


def _rate(done: float, recipe: Recipe) -> float:
    return recipe.learning_rate * (LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * done)) / 2)


def _loss(pair: Pair, inputs: Inputs, recipe: Recipe, rng: np.random.Generator) -> Tensor:
    inputs = augmentation.varied(inputs, pair.network.side, rng)
    if recipe.noise is not None:
        inputs = augmentation.with_noise(inputs, recipe.noise, rng)
    seen, heard = pair.network.video_embeddings(inputs["video"]), pair.network.audio_embeddings(inputs["audio"])
    if recipe.loss == "multiway":
        return multiway(seen, heard, pair.scale)
    clips, windows = seen.shape[:2]
    partner = (np.arange(windows) + rng.integers(1, windows, (clips, windows))) % windows
    return contrastive(seen, heard, torch.from_numpy(partner).to(seen.device), recipe.margin)


def _batch(task: Task, keys: list[str], rng: np.random.Generator) -> Inputs:
    """Video and audio of the clips, all as long as the shortest."""
    arrays = [_load(task.clips, key) for key in keys]
    frames = min(len(video) for video, _ in arrays)
    starts = [rng.integers(len(video) - frames + 1) for video, _ in arrays]
    video = [video[start : start + frames] for start, (video, _) in zip(starts, arrays)]
    audio = [
        audio[SAMPLES_PER_FRAME * start : SAMPLES_PER_FRAME * (start + frames)]
        for start, (_, audio) in zip(starts, arrays)
    ]
    return padded_batch(video, task.device, "video") | padded_batch(audio, task.device)


def _load(clips: ShardSet, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Video and audio of a clip.

    Raises:
        UserError: it is too short to be brought out of time.
    """
    arrays = clips.load(key)
    frames = len(arrays["video"])
    if frames < LEAST_FRAMES:
        expected = f"at least {LEAST_FRAMES} frames"
        raise UserError(f"clip {key}", expected, f"{frames}", "leave it out of the corpus")
    return arrays["video"], arrays["audio"]
