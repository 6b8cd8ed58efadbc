"""Room of attacking: a treatment in front of a victim, as one victim that can be attacked as a whole."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stages.victim import Inputs, Victim


class Treated(nn.Module):
    """A treatment in front of a network: it decides on what the treatment makes of the sound that it is given.

    `treatment` takes the inputs and gives waveforms (examples, samples), see `stages.treatments`. Where it is a matter
    of chance it is drawn `draws` times at each look, and the logits are the logarithm of the sum of probabilities, so
    that an attack aims at the expectation (expectation over transformation; Athalye et al. 2018).
    """

    def __init__(self, treatment: Callable[[Inputs], Tensor], network: nn.Module, *, draws: int = 1):
        super().__init__()
        self.treatment, self.network, self.takes, self.draws = treatment, network, network.takes, draws

    def prepare(self, inputs: Inputs) -> Inputs:
        """What is attacked: what the network is attacked on, before the treatment."""
        return self.network.prepare(inputs)

    def steps(self, inputs: Inputs) -> Tensor:
        """The network's steps of each clip (clips,), which a treatment leaves as long as it was."""
        return self.network.steps(inputs)

    def forward(self, inputs: Inputs) -> Tensor:
        """The network's logits of what is left after the treatment."""
        if self.draws == 1:
            return self.network(inputs | {"audio": self.treatment(inputs)})
        drawn = [self.network(inputs | {"audio": self.treatment(inputs)}) for _ in range(self.draws)]
        return torch.stack(drawn).log_softmax(-1).logsumexp(0)


def behind(treatment: Callable[[Inputs], Tensor], victim: Victim, *, draws: int = 1) -> Victim:
    """The victim with a treatment in front of it, as one that can be attacked as a whole."""
    module = Treated(treatment, victim.module, draws=draws)
    return type(victim)(module, victim.labels, bounds=victim.bounds, attacked_on=victim.attacked_on)
