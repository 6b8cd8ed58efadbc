"""Room of attacking: a treatment in front of a victim, as one victim that can be attacked as a whole."""

from torch import Tensor, nn

from stages.victim import Inputs, Victim


class Treated(nn.Module):
    """A treatment in front of a network: it decides on what the treatment makes of the sound that it is given.

    `treatment` takes the inputs and gives waveforms (examples, samples), see `stages.treatments`.
    """

    def __init__(self, treatment: nn.Module, network: nn.Module):
        super().__init__()
        self.treatment, self.network, self.takes = treatment, network, network.takes

    def prepare(self, inputs: Inputs) -> Inputs:
        """What is attacked: what the network is attacked on, before the treatment."""
        return self.network.prepare(inputs)

    def steps(self, inputs: Inputs) -> Tensor:
        """The network's steps of each clip (clips,), which a treatment leaves as long as it was."""
        return self.network.steps(inputs)

    def forward(self, inputs: Inputs) -> Tensor:
        """The network's logits of what is left after the treatment."""
        return self.network(inputs | {"audio": self.treatment(inputs)})


def behind(treatment: nn.Module, victim: Victim) -> Victim:
    """The victim with a treatment in front of it, as one that can be attacked as a whole."""
    module = Treated(treatment, victim.module)
    return type(victim)(module, victim.labels, bounds=victim.bounds, attacked_on=victim.attacked_on)
