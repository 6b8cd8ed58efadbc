"""Room of networks: an enhancer in front of a recogniser, as one network that can be attacked as a whole."""

from torch import Tensor, nn


class Enhanced(nn.Module):
    """Waveforms to the recogniser's logits of what the enhancer makes of them."""

    takes = ("audio",)

    def __init__(self, enhancer: nn.Module, recogniser: nn.Module):
        super().__init__()
        self.enhancer, self.recogniser = enhancer, recogniser

    def prepare(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is attacked: the clips as they are."""
        return inputs

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return self.recogniser(inputs | {"audio": self.enhancer(inputs)})
