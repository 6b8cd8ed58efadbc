"""Room of networks: VGG13, CRNN and GCNN of Iqbal et al. (DCASE 2018) on log-mel chunks.

Two 3x3 convolutions and a 2x2 pooling make a block. As in the original code the activation comes before the batch
normalisation; the recurrent unit is Keras's of that time (ReLU, hard sigmoid, reset before the product).
"""

from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from stages.features.log_mel import LogMelChunks
from stages.frame.parameters import Count, Positive, Range
from stages.networks.clip_classifier import ClipClassifier

CHANNELS = (64, 128, 256, 512, 512)


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    architecture: Literal["vgg13", "crnn", "gcnn"],
    width: Positive,
    blocks: Annotated[int, Range(1, len(CHANNELS))],
    recurrent_units: Count = 512,
) -> ClipClassifier:
    """The classifier; `width` scales all channel counts, `blocks` is the depth, 1 and 5 being the paper's."""
    channels = [1] + [max(1, round(width * count)) for count in CHANNELS[:blocks]]
    block = _gated_block if architecture == "gcnn" else _plain_block
    layers = [layer for before, after in pairwise(channels) for layer in (*block(before, after), nn.MaxPool2d(2))]
    if architecture == "crnn":
        head = [_MeanOverFrequency(), ReluGru(channels[-1], recurrent_units), _MeanOverTime()]
        last = 2 * recurrent_units
    else:
        head, last = [nn.AdaptiveAvgPool2d(1), nn.Flatten()], channels[-1]
    network = nn.Sequential(*layers, *head, nn.Linear(last, number_of_labels))
    if block is _plain_block:
        # On a CPU a third faster, forwards and backwards; gated blocks, which divide the channels, gain nothing.
        network.to(memory_format=torch.channels_last)
    return ClipClassifier(LogMelChunks(sample_rate_hz), network)


def _plain_block(before: int, after: int) -> list[nn.Module]:
    convolutions = (nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1))
    return [layer for conv in convolutions for layer in (conv, nn.ReLU(), nn.BatchNorm2d(after))]


def _gated_block(before: int, after: int) -> list[nn.Module]:
    convolutions = (nn.Conv2d(before, 2 * after, 3, padding=1), nn.Conv2d(after, 2 * after, 3, padding=1))
    return [layer for conv in convolutions for layer in (conv, nn.GLU(1), nn.BatchNorm2d(after))]


class _MeanOverFrequency(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2).transpose(1, 2)


class _MeanOverTime(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class ReluGru(nn.Module):
    """Bidirectional GRU with ReLU and hard sigmoid: (batch, time, size) to (batch, time, 2 units)."""

    def __init__(self, size: int, units: int):
        super().__init__()
        self.inputs = nn.ModuleList(nn.Linear(size, 3 * units) for _ in range(2))
        self.gates = nn.ModuleList(nn.Linear(units, 2 * units, bias=False) for _ in range(2))
        self.candidates = nn.ModuleList(nn.Linear(units, units, bias=False) for _ in range(2))
        for layer in (*self.gates, *self.candidates):
            nn.init.orthogonal_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """States of both directions at every step."""
        forward, backward = self._run(x, 0), self._run(x.flip(1), 1).flip(1)
        return torch.cat([forward, backward], -1)

    def _run(self, x: Tensor, direction: int) -> Tensor:
        update_in, reset_in, candidate_in = self.inputs[direction](x).chunk(3, -1)
        state, states = torch.zeros_like(candidate_in[:, 0]), []
        for step in range(x.shape[1]):
            update_gate, reset_gate = self.gates[direction](state).chunk(2, -1)
            update = _hard_sigmoid(update_in[:, step] + update_gate)
            reset = _hard_sigmoid(reset_in[:, step] + reset_gate)
            candidate = torch.relu(candidate_in[:, step] + self.candidates[direction](reset * state))
            state = update * state + (1 - update) * candidate
            states.append(state)
        return torch.stack(states, 1)


def _hard_sigmoid(x: Tensor) -> Tensor:
    return (0.2 * x + 0.5).clamp(0, 1)
