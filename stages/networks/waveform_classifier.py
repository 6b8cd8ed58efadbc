"""Room of networks: a plain network of waveforms, of which any length can be given, made into a classifier of clips."""

import torch
from torch import Tensor, nn


class WaveformClassifier(nn.Module):
    """`network` takes waveforms (clips, samples) in [-1, 1) to logits (clips, labels).

    It is given clips of one length at a time, without the zeros that stand after their end in a batch, and so need not
    know of any.
    """

    takes = ("audio",)

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is attacked: the clips as they are."""
        return inputs

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits (clips, labels)."""
        audio, lengths = inputs["audio"], inputs["audio_length"]
        alike = [(lengths == length).nonzero()[:, 0] for length in lengths.unique()]
        logits = [self.network(audio[rows.to(audio.device), : int(lengths[rows[0]])]) for rows in alike]
        return torch.cat(logits)[torch.cat(alike).argsort().to(audio.device)]
