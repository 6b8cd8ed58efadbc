"""Room of networks: speech and text aligned by attention between recurrent layers (Xu et al. 2019; Boigne et al. 2020).

The published paper leaves the form of attention and pooling open; here they are those of its authors' later code:
attention by scaled dot products in several heads, and pooling by a learned vector.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from stages.frame.errors import UserError
from stages.networks import pooling
from stages.networks.dropout import Dropout
from stages.networks.recurrent import Bidirectional


class Aligned(nn.Module):
    """Recurrent layers over frames of speech and over pieces of text; each piece attends to the speech; a recurrent
    layer over both; pooling; a linear layer. With one modality alone its two recurrent layers follow each other.

    The mean and deviation of each feature, 0 and 1 until training sets them, are kept with the weights. `hears` and
    `takes_text` say which inputs count.
    """

    def __init__(
        self,
        number_of_labels: int,
        *,
        features: int,
        text_features: int,
        cell: Literal["lstm", "gru"],
        units: int,
        attention_heads: int,
        frame_stride: int,
        modalities: Literal["both", "speech", "text"],
        dropout: float,
    ):
        super().__init__()
        self.frame_stride, self.modalities = frame_stride, modalities
        self.hears, self.takes_text = modalities != "text", modalities != "speech"
        for prefix, size in (("", features), ("text_", text_features)):
            self.register_buffer(f"{prefix}mean", torch.zeros(size))
            self.register_buffer(f"{prefix}deviation", torch.ones(size))
        self.speech = Bidirectional(cell, features, units) if modalities != "text" else None
        self.text = Bidirectional(cell, text_features, units) if modalities != "speech" else None
        self.align = Alignment(2 * units, attention_heads) if modalities == "both" else None
        self.joint = Bidirectional(cell, (4 if modalities == "both" else 2) * units, units)
        self.relevance = nn.Sequential(nn.Linear(2 * units, 2 * units), nn.Tanh(), nn.Linear(2 * units, 1, bias=False))
        self.dropout = Dropout(dropout)
        self.last = nn.Linear(2 * units, number_of_labels)

    def condensed(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The frames and their numbers as far as the model looks at them, whatever its weights are."""
        return _averaged(frames, lengths, self.frame_stride)

    def forward(
        self,
        frames: Tensor,
        lengths: Tensor,
        text: Tensor | None = None,
        text_lengths: Tensor | None = None,
        *,
        condensed: bool = False,
    ) -> Tensor:
        """Logits (examples, labels) of frames (examples, longest, features) and pieces of text (examples, longest,
        text_features), of which each example has its own number; speech alone needs no text.

        With `condensed`, frames and lengths are what `self.condensed` made of them.
        """
        if self.modalities != "text":
            if not condensed:
                frames, lengths = self.condensed(frames, lengths)
            inside = pooling.inside(frames, lengths)
            steps = speech = self.dropout(self.speech((frames - self.mean) / self.deviation, inside))
        if self.modalities != "speech":
            heard, inside = (inside if self.modalities == "both" else None), pooling.inside(text, text_lengths)
            steps = pieces = self.dropout(self.text((text - self.text_mean) / self.text_deviation, inside))
        if self.modalities == "both":
            steps = torch.cat([pieces, self.dropout(self.align(pieces, speech, heard))], -1)
        steps = self.dropout(self.joint(steps, inside))
        shares = pooling.weights(self.relevance(steps)[..., 0], inside)
        return self.last(self.dropout(pooling.weighted(steps, shares)))


class Alignment(nn.Module):
    """Attention of pieces of text to frames of speech (Vaswani et al. 2017)."""

    def __init__(self, size: int, heads: int):
        super().__init__()
        if size % heads:
            raise UserError("params.yaml: attention_heads", f"a divisor of {size}", f"{heads}", "correct it")
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(size, size) for _ in range(4))

    def weights(self, pieces: Tensor, speech: Tensor, heard: Tensor) -> Tensor:
        """Shares of a piece's attention given to a frame (examples, heads, pieces, frames); 0 outside `heard`."""
        query, key = self._split(self.query(pieces)), self._split(self.key(speech))
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        return pooling.weights(scores, heard[:, None, None, :].expand(scores.shape))

    def forward(self, pieces: Tensor, speech: Tensor, heard: Tensor) -> Tensor:
        """What each piece hears, (examples, pieces, size), of speech (examples, frames, size)."""
        mixed = self.weights(pieces, speech, heard) @ self._split(self.value(speech))
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, values: Tensor) -> Tensor:
        return values.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _averaged(frames: Tensor, lengths: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Means of so many frames in turn, the last one of what remains, and how many there are."""
    own = pooling.inside(frames, lengths)[..., None].to(frames)
    missing = -frames.shape[1] % stride
    padded, counted = (nn.functional.pad(values, (0, 0, 0, missing)) for values in (frames * own, own))
    sums, counts = (values.unflatten(1, (-1, stride)).sum(2) for values in (padded, counted))
    return sums / counts.clamp_min(1), (lengths + stride - 1) // stride
