"""Room of detection: how far apart in time picture and sound are, and how sure that is (SyncNet's measures).

Chung and Zisserman (ACCV Workshops 2016), as their public code (joonson/syncnet_python) computes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from stages import victim
from stages.features.video import SAMPLES_PER_FRAME
from stages.frame import finite
from stages.frame.parameters import Count
from stages.networks.syncnet import FRAMES
from stages.victim import Inputs

Pairs = Literal["padded", "valid"]
# What the published code adds to each difference of two embeddings.
EPS = 1e-6
NEIGHBOURS = 9


@dataclass(frozen=True)
class Synchrony:
    """What `synchrony` finds.

    Attributes:
        offset: (clips,), in frames; positive where the sound comes before the picture.
        confidence: (clips,), the median of a clip's `distances` minus the least of them.
        distance: (clips,), that least one; like the confidence NaN for a clip without a window.
        distances: (clips, 2 shifts + 1), means over pairs of a window of video and that of audio -shifts ... +shifts
            windows later; NaN where there is no such pair.
        frame_confidence: (clips, windows), that median minus the window's own distance at the offset, and of nine
            neighbours the median; NaN where a window has no partner, as after a clip's end.
    """

    offset: Tensor
    confidence: Tensor
    distance: Tensor
    distances: Tensor
    frame_confidence: Tensor


def detector(device: str, *, model: str, shifts: Count, pairs: Pairs) -> Callable[[Inputs], dict[str, Tensor]]:
    """Scores (clips,): the confidence of a SyncNet; with its offset and least distance, NaN for less than a window.

    Args:
        device: where the network works.
        model: the folder of a trained or a converted one.
        shifts: 15 in the published code, 25 for the second that Ma, Petridis and Pantic speak of.
        pairs: see `synchrony`.
    """
    module = victim.load(model, device=device).module

    def score(inputs: Inputs) -> dict[str, Tensor]:
        found = of_clips(module, inputs, shifts=shifts, pairs=pairs)
        has_window = inputs["audio_length"].to(found.confidence.device) >= FRAMES * SAMPLES_PER_FRAME
        finite.check(found.confidence[has_window], model, "the confidence of clips", do="train it again")
        return {"score": found.confidence, "offset": found.offset, "distance": found.distance}

    return score


def of_clips(network: nn.Module, inputs: Inputs, *, shifts: int, pairs: Pairs) -> Synchrony:
    """The synchrony of a batch of clips: the array that `network` sees, `audio` and `audio_length`.

    Of all windows, of which the published code leaves out a clip's last.
    """
    windows = inputs["audio_length"] // SAMPLES_PER_FRAME - FRAMES + 1
    seen, heard = network.video_embeddings(inputs[network.sees]), network.audio_embeddings(inputs["audio"])
    return synchrony(seen, heard, windows, shifts=shifts, pairs=pairs)


def synchrony(video: Tensor, audio: Tensor, windows: Tensor, *, shifts: int, pairs: Pairs) -> Synchrony:
    """Offset and confidence of many clips at once, differentiable but for the offset.

    Args:
        video: embeddings (clips, windows, dimensions) of what is seen. In single precision distances below a
            hundredth of their length are inexact.
        audio: embeddings of the same shape of what is heard.
        windows: how many of them each clip has, (clips,); what comes after has no influence.
        shifts: how many windows, each a frame later than the one before, are tried in both directions.
        pairs: `padded`, as published: windows beyond the ends of the audio are zeros; `valid`: they are left out.
    """
    distances = _window_distances(video, audio, windows.to(video.device), shifts, pairs)
    means = distances.nanmean(1)
    least, place = means.masked_fill(means.isnan(), torch.inf).min(1)
    median = means.nanmedian(1).values
    own = distances.gather(2, place[:, None, None].expand(-1, distances.shape[1], 1))[:, :, 0]
    least = least.masked_fill(median.isnan(), torch.nan)
    return Synchrony(shifts - place, median - least, least, means, _smoothed(median[:, None] - own))


def _window_distances(video: Tensor, audio: Tensor, windows: Tensor, shifts: int, pairs: Pairs) -> Tensor:
    """Distances (clips, windows, 2 shifts + 1) of each window of video to those of audio around it, NaN for no pair."""
    count = video.shape[1]
    inside = torch.arange(count, device=video.device) < windows[:, None]
    # |v + eps - a|^2, of all pairs by one product of matrices; where a is zero its terms are.
    of_video = _squared(video) + 2 * EPS * video.sum(-1) + EPS**2 * video.shape[2]
    of_audio = (_squared(audio) - 2 * EPS * audio.sum(-1))[:, None] - 2 * (video @ audio.mT)
    partner = torch.arange(count)[:, None] + torch.arange(2 * shifts + 1)
    place = partner.to(video.device).expand(len(video), -1, -1)
    squared = of_video[..., None] + pad(of_audio * inside[:, None], (shifts, shifts)).gather(2, place)
    distances = squared.clamp_min(EPS**2).sqrt()
    exists = inside[..., None]
    if pairs == "valid":
        exists = exists & pad(inside, (shifts, shifts))[:, partner]
    return distances.masked_fill(~exists, torch.nan)


def _squared(vectors: Tensor) -> Tensor:
    # Without a copy of all values, of which there are many.
    return torch.linalg.vector_norm(vectors, dim=-1).square()


def _smoothed(values: Tensor) -> Tensor:
    """The median of each value and its neighbours in time, (clips, windows), zeros where there is none."""
    half = NEIGHBOURS // 2
    medians = pad(values.nan_to_num(0), (half, half)).unfold(1, NEIGHBOURS, 1).median(2).values
    return medians.masked_fill(values.isnan(), torch.nan)
