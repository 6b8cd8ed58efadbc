"""Room of networks: the audio-visual recogniser of Ma, Petridis and Pantic (Interspeech 2019), for words or sentences.

Video goes through a spatiotemporal convolution, a residual network and a recurrent one, sound through five convolutions
and a recurrent network; a third recurrent network reads both. Its authors give neither sizes nor the five convolutions:
these follow what the same group published beside it, kernels of twice the stride after a first one of 5 ms.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from stages.frame.errors import UserError
from stages.frame.parameters import Count, Share
from stages.networks import gru
from stages.networks.spatiotemporal import Spatiotemporal

KERNELS, STRIDES = (80, 4, 4, 4, 10), (16, 2, 2, 2, 5)
SAMPLES_PER_FRAME = 640
# The logit of the blank after a clip's end, whose other logits are zero.
CERTAIN = 30.0


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    frames_per_s: int,
    crop: int,
    decides: Literal["label", "text"],
    side: Count,
    stem: Count,
    widths: list[Count],
    blocks: list[Count],
    video_features: Count,
    audio_channels: list[Count],
    units: Count,
    layers: Count,
    steps_per_frame: Count,
    dropout: Share,
) -> nn.Module:
    """The untrained recogniser.

    Args:
        number_of_labels: words, or characters, to which the blank is added.
        sample_rate_hz, frames_per_s, crop: what the set of mouths says of itself; `crop` is the side of its images.
        decides: `label`, logits averaged over a clip's frames, or `text`, logits at every step for CTC.
        side: of the centre of the image that is looked at.
        stem: channels of the spatiotemporal convolution.
        widths: channels of each group of residual blocks; all but the first halve the image.
        blocks: residual blocks in each group, 2 2 2 2 for ResNet-18.
        video_features: of each frame, after the residual network.
        audio_channels: of the five convolutions.
        units: of each recurrent layer and direction.
        layers: recurrent layers in each of the three networks.
        steps_per_frame: for texts, how many steps of CTC a frame of 40 ms has.
        dropout: before each recurrent network and the last layer.

    Raises:
        UserError: another frame or sampling rate than 25 Hz and 16 kHz, sizes that do not fit each other.
    """
    if (sample_rate_hz, frames_per_s) != (16000, 25):
        raise UserError(
            "network lip_reader",
            "clips of 25 frames a second and 16000 Hz",
            f"{frames_per_s} and {sample_rate_hz}",
            "decode them so",
        )
    if side > crop or len(widths) != len(blocks) or len(audio_channels) != len(KERNELS):
        found = (
            f"side {side} of {crop}, {len(widths)} widths, {len(blocks)} blocks, {len(audio_channels)} audio_channels"
        )
        raise UserError(
            "network lip_reader",
            f"a side within the crop, as many widths as blocks, {len(KERNELS)} audio_channels",
            found,
            "correct the victim's parameters",
        )
    return LipReader(
        number_of_labels,
        text=decides == "text",
        side=side,
        video=VideoFrontEnd(stem, widths, blocks, video_features),
        audio=AudioFrontEnd(audio_channels),
        features=(video_features, audio_channels[-1]),
        units=units,
        layers=layers,
        steps_per_frame=steps_per_frame if decides == "text" else 1,
        dropout=dropout,
    )


class LipReader(nn.Module):
    """Videos of mouths and waveforms to logits; made by `build`.

    Takes `video` (clips, frames, crop, crop) in 0..255, `audio` (clips, 640 frames) in [-1, 1), and `video_length`
    (clips,), the frames of each. Without one of the two, zeros take the place of what its recurrent network says.
    """

    takes = ("video", "audio")

    def __init__(
        self,
        number_of_labels: int,
        *,
        text: bool,
        side: int,
        video: nn.Module,
        audio: nn.Module,
        features: tuple[int, int],
        units: int,
        layers: int,
        steps_per_frame: int,
        dropout: float,
    ):
        super().__init__()
        self.text, self.side, self.steps_per_frame = text, side, steps_per_frame
        self.video, self.audio = video, audio
        self.video_recurrent, self.audio_recurrent = (Recurrent(count, units, layers) for count in features)
        self.fusion = Recurrent(4 * units, units, layers)
        self.dropout = nn.Dropout(dropout)
        self.decision = nn.Linear(2 * units, (number_of_labels + text) * steps_per_frame)

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is attacked: the clips as they are."""
        return inputs

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits (clips, labels), or for texts (clips, steps, characters + 1) with the blank last."""
        return self.decided(self.frame_logits(inputs), self.inside(inputs))

    def decided(self, logits: Tensor, inside: Tensor) -> Tensor:
        """Logits as `forward` gives them, from those of every step and which of them are before a clip's end."""
        counted = inside[..., None].to(logits)
        if self.text:
            blank = torch.zeros_like(logits[:1, :1])
            blank[..., -1] = CERTAIN
            return logits * counted + blank * (1 - counted)
        return (logits * counted).sum(1) / counted.sum(1)

    def frame_logits(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits (clips, steps, classes) at every step, whatever they say after a clip's end."""
        return self.fused(self.streams(inputs), inputs["video_length"])

    def streams(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the recurrent network of each stream that there is says (clips, frames, 2 units)."""
        lengths = inputs["video_length"]
        frames, made = int(lengths.max()), {}
        if "video" in inputs:
            seen = self.video(centre(inputs["video"][:, :frames], self.side), lengths)
            made["video"] = self.video_recurrent(self.dropout(seen), lengths)
        if "audio" in inputs:
            heard = self.audio(inputs["audio"][:, : SAMPLES_PER_FRAME * frames], SAMPLES_PER_FRAME * lengths)
            made["audio"] = self.audio_recurrent(self.dropout(heard), lengths)
        return made

    def fused(self, streams: dict[str, Tensor], lengths: Tensor) -> Tensor:
        """The logits at every step of `streams`, or of one of them alone."""
        nothing = torch.zeros_like(next(iter(streams.values())))
        both = torch.cat([streams.get(name, nothing) for name in self.takes], -1)
        logits = self.decision(self.dropout(self.fusion(self.dropout(both), lengths)))
        return logits.unflatten(-1, (self.steps_per_frame, -1)).flatten(1, 2)

    def steps(self, inputs: dict[str, Tensor]) -> Tensor:
        """Steps (clips,) before each clip's end."""
        return inputs["video_length"] * self.steps_per_frame

    def inside(self, inputs: dict[str, Tensor]) -> Tensor:
        """Which steps (clips, steps) are before a clip's end."""
        ends = self.steps(inputs).to(self.decision.weight.device)
        return torch.arange(int(ends.max()), device=ends.device) < ends[:, None]


def centre(video: Tensor, side: int) -> Tensor:
    """The middle `side` by `side` pixels of videos (clips, frames, height, width)."""
    top, left = ((size - side) // 2 for size in video.shape[-2:])
    return video[..., top : top + side, left : left + side]


class VideoFrontEnd(nn.Module):
    """Videos (clips, frames, side, side) in 0..255 to features (clips, frames, video_features)."""

    def __init__(self, stem: int, widths: list[int], blocks: list[int], features: int):
        super().__init__()
        self.spatiotemporal = Spatiotemporal(stem)
        self.stem = nn.Sequential(nn.BatchNorm2d(stem), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        made, before = [], stem
        for group, (width, count) in enumerate(zip(widths, blocks)):
            for number in range(count):
                made.append(Residual(before, width, 2 if group > 0 and number == 0 else 1))
                before = width
        self.trunk = nn.Sequential(*made)
        self.features = nn.Sequential(nn.Linear(before, features), nn.BatchNorm1d(features))

    def forward(self, video: Tensor, lengths: Tensor) -> Tensor:
        """`lengths` (clips,) are the frames before each clip's end; beyond it is what lies beyond a lone clip."""
        clips, frames = video.shape[:2]
        standardised = _standardised(video, lengths)
        images = self.spatiotemporal(standardised[:, None]).transpose(1, 2).flatten(0, 1)
        # With the channels together in memory all that follows takes a tenth less of the time on a CPU.
        images = self.stem(images.contiguous(memory_format=torch.channels_last))
        return self.features(self.trunk(images).mean((2, 3))).unflatten(0, (clips, frames))


class Residual(nn.Module):
    """Two 3 by 3 convolutions with batch normalisation beside a shortcut (He et al. 2016)."""

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        same = before == width and stride == 1
        projection = (nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.shortcut = nn.Identity() if same else nn.Sequential(*projection)

    def forward(self, images: Tensor) -> Tensor:
        inner = self.second_norm(self.second(self.first_norm(self.first(images)).relu()))
        return (inner + self.shortcut(images)).relu()


class AudioFrontEnd(nn.Module):
    """Waveforms (clips, samples), each of mean zero and deviation one, to features (clips, frames, channels)."""

    def __init__(self, channels: list[int]):
        super().__init__()
        before = [1, *channels]
        sizes = zip(before, channels, KERNELS, STRIDES)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(one, other, kernel, stride, (kernel - stride + 1) // 2, bias=False)
            for one, other, kernel, stride in sizes
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in channels)
        with torch.no_grad():
            self.convolutions[0].weight.copy_(_bank(channels[0]))

    def forward(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """`lengths` (clips,) are the samples before each clip's end; beyond it is what lies beyond a lone clip."""
        # A silent clip stays silent: one step of 16 bits is no deviation to divide by.
        values = _standardised(audio, lengths, least=2**-15)[:, None]
        for convolution, norm, stride in zip(self.convolutions, self.norms, STRIDES):
            lengths = lengths // stride
            values = norm(convolution(values)).relu()
            values = before_end(values.transpose(1, 2), lengths).transpose(1, 2)
        return values.transpose(1, 2)


def _standardised(values: Tensor, lengths: Tensor, *, least: float = 1.0) -> Tensor:
    """Clips (clips, steps, ...) of mean 0 and deviation 1 before their ends, of at most 1 / `least` their size."""
    own = tuple(range(1, values.dim()))
    counts = (lengths.to(values.device) * values[0, 0].numel()).view(-1, *[1] * len(own))
    mean = before_end(values, lengths).sum(own, keepdim=True) / counts
    centred = before_end(values - mean, lengths)
    return centred / (centred.square().sum(own, keepdim=True) / counts).clamp_min(least**2).sqrt()


def before_end(values: Tensor, lengths: Tensor) -> Tensor:
    """Values (clips, steps, ...) with zeros from each clip's end on."""
    if bool((lengths >= values.shape[1]).all()):
        return values
    inside = torch.arange(values.shape[1], device=values.device) < lengths.to(values.device)[:, None]
    return values * inside.view(*inside.shape, *[1] * (values.dim() - 2)).to(values)


def _bank(filters: int) -> Tensor:
    """Weights (filters, 1, 80) to begin with: tones of 5 ms under a Hann window, spread over mels, four phases in turn.

    From random ones the network takes many times as long to hear anything.
    """
    mels = torch.linspace(*(2595 * math.log10(1 + hz / 700) for hz in (100, 7000)), filters)
    hz = (700 * (10 ** (mels / 2595) - 1))[:, None]
    times = torch.arange(KERNELS[0]) / 16000
    phases = (torch.arange(filters) % 4)[:, None] * math.pi / 2
    window = torch.hann_window(KERNELS[0])
    tones = window * torch.cos(2 * math.pi * hz * times + phases)
    return (tones / tones.norm(dim=1, keepdim=True))[:, None]


class Recurrent(nn.Module):
    """Bidirectional GRU layers over (clips, frames, features), to (clips, frames, 2 units); zero after a clip's end."""

    def __init__(self, features: int, units: int, layers: int):
        super().__init__()
        self.layers = nn.GRU(features, units, layers, batch_first=True, bidirectional=True)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        if features.device.type == "cpu":
            return gru.both_ways(self.layers, features, torch.arange(features.shape[1]) < lengths[:, None])
        # cuDNN gives no gradients in evaluation mode, where attacks need them.
        with torch.backends.cudnn.flags(enabled=self.training):
            if bool((lengths == features.shape[1]).all()):
                return self.layers(features)[0]
            packed = nn.utils.rnn.pack_padded_sequence(features, lengths.cpu(), batch_first=True, enforce_sorted=False)
            outputs, _ = self.layers(packed)
        return nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=features.shape[1])[0]
