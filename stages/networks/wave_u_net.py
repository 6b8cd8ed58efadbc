"""Room of networks: the Wave-U-Net, an enhancer of speech from waveform to waveform (Macartney and Weyde 2018).

After Stoller et al. 2018, and as their published code has it with `same` convolutions: 24 filters more at each level,
kernels of 15 and 5, 9 or 12 layers. Its other output, the noise, is the mixture less the speech, and is not computed.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, pad

from stages.frame.parameters import Count

SLOPE = 0.2
LITTLE = 0.1


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    layers: Count,
    filters: Count,
    down_kernel: Count,
    up_kernel: Count,
    fold: Count,
) -> nn.Module:
    """The untrained enhancer.

    Args:
        number_of_labels: of no meaning to an enhancer.
        sample_rate_hz: of the waveforms; whatever it is, the network is the same.
        layers: halvings of the rate.
        filters: of the first level; each level below has as many more.
        down_kernel: taps of the convolutions on the way down, odd.
        up_kernel: taps of those on the way up, odd.
        fold: so many samples in a row are the channels of one step; 1 in the paper. More cost less: half of the work is
            at the full rate.
    """
    widths = [filters * (level + 1) for level in range(layers + 1)]
    return WaveUNet(widths, {}, down_kernel=down_kernel, up_kernel=up_kernel, fold=fold)


class WaveUNet(nn.Module):
    """Noisy waveforms to enhanced ones; made by `build`.

    Takes `audio` (clips, samples) in [-1, 1) and `audio_length` (clips,), gives (clips, samples), zero after each
    clip's end. The samples after it are taken as zero, and so are the features of every level after the end's place
    there: each convolution sees a clip as if it were alone.
    """

    takes = ("audio",)

    def __init__(self, widths: list[int], gates: dict[int, nn.Module], *, down_kernel: int, up_kernel: int, fold: int):
        """`widths` are the filters of all levels and, last, of the bottleneck; `gates` see `Up`, by level from 0."""
        super().__init__()
        self.fold = fold
        self.down = nn.ModuleList(Conv1d(before, width, down_kernel) for before, width in zip([fold, *widths], widths))
        self.up = nn.ModuleList(
            Up(below, width, up_kernel, gates.get(level)) for level, (width, below) in enumerate(pairwise(widths))
        )
        self.output = Conv1d(widths[0] + fold, fold, 1)
        self.apply(started)
        # To begin with, speech is the mixture and a little of all else.
        with torch.no_grad():
            self.output.weight *= LITTLE
            self.output.weight[:, -fold:, 0] = torch.eye(fold)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Enhanced waveforms (clips, samples)."""
        audio, lengths = inputs["audio"], inputs["audio_length"].to(inputs["audio"].device)[:, None]
        own = torch.arange(audio.shape[1], device=audio.device) < lengths
        padded = pad(audio * own, (0, -audio.shape[1] % (self.fold << len(self.up))))
        mixture = padded.unflatten(1, (-1, self.fold)).mT
        # A step is inside where one of its samples is.
        inside = [(self.fold * torch.arange(mixture.shape[2], device=audio.device) < lengths)[:, None]]
        values, skips = mixture, []
        for level, layer in enumerate(self.down):
            if level > 0:
                skips.append(values)
                values = values.mT.unflatten(1, (-1, 2))[:, :, 0].mT
                inside.append(inside[-1][..., ::2])
            values = activated(layer(values), inside[-1])
        for level in reversed(range(len(skips))):
            values = self.up[level](values, skips[level], inside[level])
        speech = self.output(values, mixture).tanh().mT.flatten(1)
        return speech[:, : audio.shape[1]] * own


class Up(nn.Module):
    """A block on the way up: what comes from below at twice its rate, and the skip, through a convolution.

    A gate, where there is one, makes more channels of the two, as many as the skip has; see `u_net_attention`.
    """

    def __init__(self, below: int, width: int, kernel: int, gate: nn.Module | None):
        super().__init__()
        self.gate = gate
        self.convolution = Conv1d(below + width * (1 + (gate is not None)), width, kernel)

    def forward(self, below: Tensor, skip: Tensor, inside: Tensor) -> Tensor:
        """`below` (clips, channels, steps), `skip` (clips, channels, 2 steps), `inside` (clips, 1, 2 steps)."""
        coming = doubled(below)
        context = [] if self.gate is None else [self.gate(coming, skip, inside)]
        return activated(self.convolution(*context, coming, skip), inside)


def started(layer: nn.Module) -> None:
    """First weights of a convolution, with which signals keep their size (He et al. 2015), and no biases.

    With those that are usual in PyTorch a signal grows fainter with each layer, and training starts slowly.
    """
    if isinstance(layer, Conv1d):
        nn.init.kaiming_normal_(layer.weight, SLOPE, nonlinearity="leaky_relu")
        nn.init.zeros_(layer.bias)


def doubled(values: Tensor) -> Tensor:
    """Twice the rate by linear interpolation; after the last value comes a zero."""
    steps = values.mT
    between = (steps + pad(steps[:, 1:], (0, 0, 0, 1))) / 2
    return torch.stack([steps, between], 2).flatten(1, 2).mT


def activated(values: Tensor, inside: Tensor) -> Tensor:
    """LeakyReLU, and zero after each clip's end."""
    return leaky_relu(values * inside, SLOPE)


class Conv1d(nn.Conv1d):
    """As `nn.Conv1d` with `same` padding, of the same weights and results but for rounding.

    What it gives has the channels of a step together in memory, which suits the next such layer: where channels are few
    and steps are many, the layers of PyTorch take up to ten times as long on a CPU.
    """

    def __init__(self, before: int, after: int, kernel: int):
        super().__init__(before, after, kernel, padding="same")

    def forward(self, *parts: Tensor) -> Tensor:
        """(clips, channels, steps) of all channels, or of one part of them after the other, as if they were joined."""
        weights = self.weight.unsqueeze(2).split([part.shape[1] for part in parts], 1)
        made = [
            conv2d(together(part), weight, bias, padding="same")
            for part, weight, bias in zip(parts, weights, [self.bias, *[None] * len(parts)])
        ]
        return sum(made[1:], start=made[0]).squeeze(2)


def together(values: Tensor) -> Tensor:
    """Values (clips, channels, steps) as images (clips, channels, 1, steps), each step's channels side by side."""
    return values.unsqueeze(2).contiguous(memory_format=torch.channels_last)
