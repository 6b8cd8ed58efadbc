"""Room of networks: CNN-4 of Ren et al. (ICASSP 2020), four convolutions and global max pooling.

The paper gives kernels, channels and poolings; batch normalisation, the missing biases and the initial weights are
those of its group's earlier code for acoustic scenes (Ren et al., ICASSP 2019).
"""

from itertools import pairwise
from typing import Annotated

from torch import nn

from stages.frame.parameters import Positive, Range
from stages.networks.image_classifier import ImageClassifier

CHANNELS = (64, 128, 256, 512)


def build(
    number_of_labels: int, *, mels: int, width: Positive, layers: Annotated[int, Range(1, len(CHANNELS))]
) -> ImageClassifier:
    """The classifier; `width` scales all channel counts, `layers` is the depth, 1 and 4 being the paper's."""
    channels = [1] + [max(1, round(width * count)) for count in CHANNELS[:layers]]
    body = [layer for before, after in pairwise(channels) for layer in _block(before, after)]
    body += [nn.AdaptiveMaxPool2d(1), nn.Flatten()]
    classifier = ImageClassifier(nn.Sequential(*body), channels[-1], number_of_labels, mels=mels)
    for layer in classifier.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(classifier.last.bias)
    return classifier


def _block(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 5, padding=2, bias=False), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
