"""Room of networks: a classifier of standardised log-mel images, which is what its attacks perturb."""

import torch
from torch import Tensor, nn

from stages.frame.errors import UserError


class ImageClassifier(nn.Module):
    """A convolutional body and a last linear layer.

    `body` takes images (examples, 1, frames, mels) to feature vectors (examples, size). The mean and deviation of each
    mel bin, 0 and 1 until training sets them, are kept with the weights. `takes` names its inputs.
    """

    takes = ("log_mel",)

    def __init__(self, body: nn.Module, size: int, number_of_labels: int, *, mels: int):
        super().__init__()
        self.body, self.last = body, nn.Linear(size, number_of_labels)
        self.register_buffer("mean", torch.zeros(mels))
        self.register_buffer("deviation", torch.ones(mels))

    def standardised(self, log_mel: Tensor) -> Tensor:
        """Images as the network takes them of log-mel images in nats, both (examples, frames, mels)."""
        return (log_mel - self.mean) / self.deviation

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is attacked: standardised images."""
        return {"log_mel": self.standardised(inputs["log_mel"])}

    def unstandardised(self, image: Tensor) -> Tensor:
        """The inverse of `standardised`."""
        return image * self.deviation + self.mean

    def vector_and_logits(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Input (examples, size) and output (examples, labels) of the last layer, for standardised images."""
        vector = self.body(image[:, None])
        return vector, self.last(vector)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits (examples, labels) of the standardised images `inputs["log_mel"]` (examples, frames, mels)."""
        return self.vector_and_logits(inputs["log_mel"])[1]


def check_stages(parameter: str, counts: list[int], most: int) -> None:
    """Sees to it that there is a count for at least one stage and at most `most`.

    Raises:
        UserError: there is not.
    """
    if not 1 <= len(counts) <= most:
        raise UserError(
            f"params.yaml: {parameter}",
            f"1 to {most} numbers",
            f"{len(counts)}",
            "give one for each stage of the network",
        )
