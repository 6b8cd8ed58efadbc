"""Room of networks: a classifier of chunks made into a classifier of whole clips."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot


class ClipClassifier(nn.Module):
    """Front end, network, and the clip's decision: the geometric mean of its chunks' probabilities.

    The softmax of mean logits is the normalised geometric mean of the softmaxes, so a clip's logits are the mean of
    its chunks' logits.
    """

    takes = ("audio",)

    def __init__(self, front_end: nn.Module, network: nn.Module):
        super().__init__()
        self.front_end, self.network = front_end, network

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is attacked: the clips as they are."""
        return inputs

    def examples(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The network's inputs (chunks, ...), and the clip that each belongs to (chunks,)."""
        audio, lengths = inputs["audio"], inputs["audio_length"]
        after_end = torch.arange(audio.shape[-1]) >= lengths[:, None]
        return self.front_end(audio.masked_fill(after_end.to(audio.device), 0), lengths)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits (clips, labels)."""
        examples, owners = self.examples(inputs)
        logits = self.network(examples)
        share = one_hot(owners, len(inputs["audio"])).T.to(logits)
        return (share / share.sum(1, keepdim=True)) @ logits
