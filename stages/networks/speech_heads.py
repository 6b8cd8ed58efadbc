"""Room of networks: heads that tell a label from the frames of a feature (Boigne et al. 2020, sections 2.3 and 2.4).

Many of them are trained as one stack (torch.func), so that nothing here may depend on values, only on shapes.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from stages.frame.errors import UserError
from stages.frame.parameters import Count, Share
from stages.networks import pooling
from stages.networks.aligned import Aligned
from stages.networks.dropout import Dropout


class PoolingHead(nn.Module):
    """Frames to logits: an MLP on each frame where there are hidden units, a pooling over time, and a linear layer.

    The mean and deviation of each feature, 0 and 1 until training sets them, are kept with the weights. Dropout follows
    the input of the linear layer and each hidden layer.
    """

    hears, takes_text = True, False

    def __init__(
        self, number_of_labels: int, *, features: int, pooled_by: str, hidden_units: list[int], dropout: float
    ):
        super().__init__()
        sizes = [features, *hidden_units]
        layers = [
            layer
            for before, after in pairwise(sizes)
            for layer in (nn.Linear(before, after), nn.ReLU(), Dropout(dropout))
        ]
        self.frame_wise = nn.Sequential(*layers)
        self.relevance = nn.Linear(features, 1) if pooled_by == "attention" else None
        self.dropout = Dropout(dropout)
        self.poolings = {"mean": [pooling.mean], "mean_max": [pooling.mean, pooling.maximum]}.get(pooled_by, [])
        self.last = nn.Linear(sizes[-1] * max(1, len(self.poolings)), number_of_labels)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))

    def condensed(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The frames and their numbers as far as the head looks at them, whatever its weights are.

        Where the first thing is a pooling without weights, that is its results (examples, poolings, features).
        """
        if len(self.frame_wise) or self.relevance:
            return frames, lengths
        own = pooling.inside(frames, lengths)
        return torch.stack([pool(frames, own) for pool in self.poolings], -2), lengths

    def forward(self, frames: Tensor, lengths: Tensor, *, condensed: bool = False) -> Tensor:
        """Logits (examples, labels) of frames (examples, longest, features), of which each has its own length.

        With `condensed`, frames and lengths are what `self.condensed` made of them.
        """
        if not condensed:
            frames, lengths = self.condensed(frames, lengths)
        own = pooling.inside(frames, lengths)
        if self.relevance:
            shares = pooling.weights(self._standardised(self.relevance, frames)[..., 0], own)
            vector = (pooling.weighted(frames, shares) - self.mean) / self.deviation
        elif len(self.frame_wise):
            vector = pooling.mean(self.frame_wise[1:](self._standardised(self.frame_wise[0], frames)), own)
        else:
            vector = ((frames - self.mean) / self.deviation).flatten(-2)
        return self.last(self.dropout(vector))

    def _standardised(self, layer: nn.Linear, frames: Tensor) -> Tensor:
        """The layer on standardised frames: its weights are changed, which are fewer than the frames."""
        weight = layer.weight / self.deviation
        return linear(frames, weight, layer.bias - weight @ self.mean)


def build(
    number_of_labels: int,
    *,
    features: int,
    head: Literal["mean", "mean_max", "attention", "mlp", "aligned"],
    dropout: Share,
    hidden_units: list[Count] | None = None,
    cell: Literal["lstm", "gru"] = "lstm",
    units: Count = 100,
    attention_heads: Count = 8,
    frame_stride: Count = 1,
    modalities: Literal["both", "speech", "text"] = "both",
    text_features: Count | None = None,
) -> nn.Module:
    """An untrained head.

    Args:
        number_of_labels: to tell apart.
        features: of a frame.
        head: how frames become one vector: their mean; mean and maximum; a mean weighted by logistic regression; the
            mean of an MLP's outputs; or the recurrent model that aligns speech and text.
        dropout: the share of values that is dropped after each layer in training.
        hidden_units: of the MLP; the other heads have none.
        cell: of the recurrent layers; this and what follows is of `aligned` alone.
        units: of a recurrent layer in each direction.
        attention_heads: by which pieces of text attend to speech; a divisor of twice the units.
        frame_stride: how many frames are averaged into one before the recurrent layer.
        modalities: which inputs are heard.
        text_features: of a piece of text.

    Raises:
        UserError: what the head needs is not given.
    """
    if head == "aligned":
        if text_features is None:
            raise UserError("params.yaml: head aligned", "a victim whose `beside` is a set of texts", "none", "name it")
        options = {"cell": cell, "units": units, "attention_heads": attention_heads, "frame_stride": frame_stride}
        options |= {"modalities": modalities, "dropout": dropout}
        return Aligned(number_of_labels, features=features, text_features=text_features, **options)
    if head == "mlp" and not hidden_units:
        raise UserError(
            "params.yaml: hidden_units of head mlp", "the hidden units of each layer", repr(hidden_units), "give them"
        )
    return PoolingHead(
        number_of_labels,
        features=features,
        pooled_by="mean" if head == "mlp" else head,
        hidden_units=hidden_units if head == "mlp" else [],
        dropout=dropout,
    )
