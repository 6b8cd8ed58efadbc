"""Room of networks: wav2vec, the first one (Schneider et al. 2019): waveforms to vectors of what was said so far.

The parameters have the names that fairseq's checkpoints give them.
"""

from torch import Tensor, nn

from stages.frame.parameters import Count
from stages.networks import pooling

# Channels, kernel and stride of each layer of the encoder; channels and kernel of each of the context network.
ENCODER = [[512, 10, 5], [512, 8, 4], [512, 4, 2], [512, 4, 2], [512, 4, 2]]
BASE = {"encoder": ENCODER, "context": [[512, 3]] * 9, "skip": False, "log_compression": False}
LARGE = {
    "encoder": [*ENCODER, [512, 1, 1], [512, 1, 1]],
    "context": [[512, kernel] for kernel in range(2, 14)],
    "skip": True,
    "log_compression": True,
}
SQRT_HALF = 0.5**0.5


class OwnGroupNorm(nn.GroupNorm):
    """Normalises over all channels and an example's own steps: what pads it has no influence."""

    def __init__(self, channels: int):
        super().__init__(1, channels)

    def forward(self, values: Tensor, own: Tensor) -> Tensor:
        """(examples, channels, steps) of the same; `own` (examples, steps) says which steps are an example's own."""
        if own.all():
            return super().forward(values)
        mask = own[:, None].to(values)
        count = values.shape[1] * mask.sum((1, 2), keepdim=True)
        mean = (values * mask).sum((1, 2), keepdim=True) / count
        variance = ((values - mean).square() * mask).sum((1, 2), keepdim=True) / count
        scale = self.weight[:, None] * (variance + self.eps).rsqrt()
        return values * scale + (self.bias[:, None] - mean * scale)


class Layers(nn.Module):
    """Convolutions of the encoder or the context network."""

    def __init__(self, layers: list[nn.Module]):
        super().__init__()
        self.conv_layers = nn.ModuleList(layers)


class Wav2vec(nn.Module):
    """An encoder of strided convolutions and a causal context network on it.

    `shortest` samples give one frame, `hop_length` is from one frame to the next, `dimensions` are a frame's.
    """

    def __init__(self, *, encoder: list[list[int]], context: list[list[int]], skip: bool, log_compression: bool):
        super().__init__()
        self.encoder_shape, self.skip, self.log_compression = encoder, skip, log_compression
        channels = [1, *(layer[0] for layer in encoder)]
        self.feature_extractor = Layers(
            [
                nn.Sequential(
                    nn.Conv1d(before, after, kernel, stride, bias=False), nn.Dropout(0.0), OwnGroupNorm(after)
                )
                for before, (after, kernel, stride) in zip(channels, encoder)
            ]
        )
        channels = [encoder[-1][0], *(layer[0] for layer in context)]
        self.feature_aggregator = Layers(
            [
                nn.Sequential(
                    nn.ReplicationPad1d((kernel - 1, 0)),
                    nn.Conv1d(before, after, kernel),
                    nn.Dropout(0.0),
                    OwnGroupNorm(after),
                )
                for before, (after, kernel) in zip(channels, context)
            ]
        )
        self.dimensions = channels[-1]
        self.hop_length, self.shortest = 1, 1
        for _, kernel, stride in encoder:
            self.shortest += (kernel - 1) * self.hop_length
            self.hop_length *= stride

    def frames_of(self, lengths: Tensor) -> Tensor:
        """Frames of clips of so many samples."""
        return (lengths - self.shortest).div(self.hop_length, rounding_mode="floor") + 1

    def forward(self, audio: Tensor, audio_length: Tensor) -> tuple[Tensor, Tensor]:
        """Context vectors (clips, frames, dimensions) of waveforms (clips, samples) in [-1, 1], and how many each has.

        A frame is heard from the samples up to its end alone, but for the normalisation, which goes over a whole clip.
        """
        encoded, frames = self.encode(audio, audio_length)
        return self.contextualise(encoded, frames).transpose(1, 2), frames

    def encode(self, audio: Tensor, audio_length: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder's vectors (clips, channels, frames), and how many each clip has."""
        values, lengths = audio[:, None], audio_length
        for (conv, _, norm), (_, kernel, stride) in zip(self.feature_extractor.conv_layers, self.encoder_shape):
            values = conv(values)
            lengths = (lengths - kernel).div(stride, rounding_mode="floor") + 1
            values = norm(values, _own(values, lengths)).relu()
        return ((values.abs() + 1).log() if self.log_compression else values), lengths

    def contextualise(self, encoded: Tensor, frames: Tensor) -> Tensor:
        """The context network's vectors (clips, dimensions, frames)."""
        values, own = encoded, _own(encoded, frames)
        for padding, conv, _, norm in self.feature_aggregator.conv_layers:
            heard = norm(conv(padding(values)), own).relu()
            values = (heard + values) * SQRT_HALF if self.skip else heard
        return values


def build(*, encoder: list[list[Count]], context: list[list[Count]], skip: bool, log_compression: bool) -> Wav2vec:
    """The untrained network; `BASE` and `LARGE` are the published sizes.

    Args:
        encoder: channels, kernel and stride of each layer.
        context: channels and kernel of each layer of the context network.
        skip: whether a layer of the context network, which then has as many channels as the encoder, adds its input.
        log_compression: whether the logarithm of what the encoder gives is taken.
    """
    return Wav2vec(encoder=encoder, context=context, skip=skip, log_compression=log_compression)


def _own(values: Tensor, lengths: Tensor) -> Tensor:
    return pooling.inside(values.transpose(1, 2), lengths)
