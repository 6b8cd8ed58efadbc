"""Room of networks: a small SyncNet for grey mouths, for a CPU.

As the published one it sees five frames and hears a fifth of a second. It pads no time at all, so that a whole clip
goes through at once, and its embeddings have length one.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from stages.features.mfcc import Mfcc
from stages.frame.errors import UserError
from stages.frame.parameters import Count, Positive
from stages.networks import syncnet
from stages.networks.lip_reader import centre
from stages.networks.syncnet import FRAMES

VIDEO_CHANNELS = (24, 48, 96, 128)
AUDIO_CHANNELS = (32, 64, 96, 128)
# How often the video's layers halve the image before the one that sees all of what remains, 3 by 3 of 44 by 44.
HALVINGS = 4
SMALLEST_SIDE = 16
# Grey levels of mouths in the Lip Reading in the Wild corpus, as shares of full scale.
MEAN, DEVIATION = 0.421, 0.165


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    frames_per_s: int,
    crop: int,
    side: Count,
    width: Positive,
    dimensions: Count,
) -> nn.Module:
    """The untrained network.

    Args:
        number_of_labels: of no account, as what it tells apart are clips in and out of time.
        sample_rate_hz, frames_per_s, crop: what the set of mouths says of itself; `crop` is the side of its images.
        side: of the part of an image that is looked at, the centre but in training: 44 of 48, 88 of 96.
        width: factor on the channels of all layers, 1 for some 680 000 parameters at a side of 44.
        dimensions: of an embedding.

    Raises:
        UserError: another frame or sampling rate than 25 Hz and 16 kHz, a side beyond the crop or too small.
    """
    syncnet.check_rates("syncnet_mouth", sample_rate_hz, frames_per_s)
    if not SMALLEST_SIDE <= side <= crop:
        expected = f"{SMALLEST_SIDE} to {crop}, the side of the crops"
        raise UserError("side of syncnet_mouth", expected, f"{side}", "correct the victim's parameters")
    return MouthSyncNet(side=side, width=width, dimensions=dimensions)


class MouthSyncNet(nn.Module):
    """Clips to embeddings of length one of their windows, (clips, frames - 4, dimensions); see `syncnet.SyncNet`."""

    sees = "video"

    def __init__(self, *, side: int, width: float, dimensions: int):
        super().__init__()
        self.side, self.mfcc = side, Mfcc()
        first, second, third, fourth = (max(1, round(width * channels)) for channels in VIDEO_CHANNELS)
        remaining = -(-side // 2**HALVINGS)
        self.images = nn.Sequential(
            # The rectifier comes last, which changes nothing, as it then has a quarter of the values.
            nn.Conv2d(FRAMES, first, 5, 2, 2, bias=False),
            nn.BatchNorm2d(first),
            nn.MaxPool2d(3, 2, 1),
            nn.ReLU(),
            *_layer(first, second, 3, 2, 1),
            *_layer(second, third, 3, 2, 1),
            *_layer(third, fourth, remaining),
            *_layer(fourth, 2 * fourth, 1),
            nn.Conv2d(2 * fourth, dimensions, 1),
        )
        first, second, third, fourth = (max(1, round(width * channels)) for channels in AUDIO_CHANNELS)
        # 13 coefficients become 7, then 4; in time the strides make up one frame of video, and 19 columns one window.
        self.sound = nn.Sequential(
            *_layer(1, first, 3, 1, (1, 0)),
            *_layer(first, second, 3, (2, 1), (1, 0)),
            *_layer(second, third, 3, 2, (1, 0)),
            *_layer(third, fourth, 3, (1, 2), (1, 0)),
            *_layer(fourth, fourth, (4, 3)),
            *_layer(fourth, 2 * fourth, 1),
            nn.Conv2d(2 * fourth, dimensions, 1),
        )

    def video_embeddings(self, video: Tensor) -> Tensor:
        """Of mouths (clips, frames, crop, crop) in 0..255, or of parts of them of the right size."""
        video = (centre(video, self.side) / 255 - MEAN) / DEVIATION
        # The five frames of a window as channels, which are the last dimension in memory: that halves the time of all.
        windows = video.unfold(1, FRAMES, 1)
        seen = self.images(windows.flatten(0, 1).permute(0, 3, 1, 2)).flatten(1)
        return normalize(seen, dim=1).unflatten(0, windows.shape[:2])

    def audio_embeddings(self, audio: Tensor) -> Tensor:
        """Of waveforms (clips, 640 frames) in [-1, 1)."""
        columns = syncnet.columns(self.mfcc, audio)[:, None].contiguous(memory_format=torch.channels_last)
        return normalize(self.sound(columns)[:, :, 0].transpose(1, 2), dim=2)


def _layer(before: int, after: int, *sizes) -> list[nn.Module]:
    return [nn.Conv2d(before, after, *sizes, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
