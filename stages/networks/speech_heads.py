"""Room of networks: heads that tell a label from the frames of a feature (Boigne et al. 2020, sections 2.3 and 2.4).

Many of them are trained as one stack (torch.func), so that nothing here may depend on values, only on shapes.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from stages.frame.errors import UserError
from stages.frame.parameters import Count, Share
from stages.networks import pooling
from stages.networks.aligned import Aligned


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
        self.pooled_by = pooled_by
        sizes = [features, *hidden_units]
        layers = [
            layer
            for before, after in pairwise(sizes)
            for layer in (nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout))
        ]
        self.frame_wise = nn.Sequential(*layers)
        self.attention = pooling.LogisticAttention(sizes[-1]) if pooled_by == "attention" else None
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(sizes[-1] * (2 if pooled_by == "mean_max" else 1), number_of_labels)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Logits (examples, labels) of frames (examples, longest, features), of which each has its own length."""
        own = pooling.inside(frames, lengths)
        values = self.frame_wise((frames - self.mean) / self.deviation)
        if self.pooled_by == "attention":
            vector = self.attention(values, own)
        else:
            vector = pooling.mean(values, own)
            if self.pooled_by == "mean_max":
                vector = torch.cat([vector, pooling.maximum(values, own)], -1)
        return self.last(self.dropout(vector))


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
