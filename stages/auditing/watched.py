"""Room of auditing: a victim with a detector beside it, as one victim that can be attacked as a whole."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stages.victim import Goal, Inputs, Victim

Score = Callable[[Inputs], dict[str, Tensor]]
# What of a score may be rounding in another batch, in spreads.
UNSURE = 1e-4
# Of the smooth maximum of two margins: how much the larger one weighs, for each spread by which it is larger.
SHARPNESS = 10.0


class Beside(nn.Module):
    """A network and a detector's score (clips,) of what it is given, as one more row of its logits.

    Of logits (clips, labels) that is one more label, of (clips, steps, classes) one more step with the score in each of
    its classes.
    """

    def __init__(self, network: nn.Module, score: Score):
        super().__init__()
        self.network, self.score, self.takes = network, score, network.takes

    def prepare(self, inputs: Inputs) -> Inputs:
        """What is attacked: what the network is attacked on."""
        return self.network.prepare(inputs)

    def steps(self, inputs: Inputs) -> Tensor:
        """The network's steps of each clip (clips,)."""
        return self.network.steps(inputs)

    def forward(self, inputs: Inputs) -> Tensor:
        """The network's logits, and the score behind them."""
        logits = self.network(inputs)
        row = self.score(inputs)["score"].to(logits).view(-1, *[1] * (logits.dim() - 1))
        return torch.cat([logits, row.expand(-1, 1, *logits.shape[2:])], 1)


class Watched(Victim):
    """A victim whose decision stands only where a detector does not refuse the clip: its score is at least `threshold`.

    An attack on it meets a goal where the victim's decision does and the detector does not refuse. Its margin is the
    larger of both, each in units of its spread over benign clips: `spread` of scores, `margin_spread` of margins. Of
    classes its loss is that maximum, smoothed, so that each counts as it is short; steps of one length for all values,
    by one's sign and then by the other's, would not find which values are worth more to which. Of texts, which have no
    margin, it is the victim's loss until the goal is met and then the detector's as long as it refuses: when one is
    satisfied the attack works on the other (Tramèr et al., NeurIPS 2020), and its momentum weighs both.
    """

    def __init__(self, victim: Victim, score: Score, *, threshold: float, spread: float, margin_spread: float = 1.0):
        module = Beside(victim.module, score)
        super().__init__(module, victim.labels, bounds=victim.bounds, attacked_on=victim.attacked_on)
        self.victim, self.threshold, self.spread, self.margin_spread = victim, threshold, spread, margin_spread

    def margin(self, logits: Tensor, goal: Goal) -> Tensor:
        """How far each clip is from meeting the goal unrefused (clips,), in spreads; negative where it surely does."""
        return torch.stack(self._margins(logits, goal)).amax(0)

    def meets(self, logits: Tensor, goal: Goal) -> Tensor:
        """Whether the decision meets the goal and is not refused, in a batch of any size (clips,)."""
        own, refused = self._parts(logits)
        return self.victim.meets(own, goal) & (refused < -UNSURE)

    def sure(self, logits: Tensor) -> Tensor:
        """Whether the decided text is so and is not refused, in a batch of any size (clips,)."""
        own, refused = self._parts(logits)
        return self.victim.sure(own) & (refused < -UNSURE)

    def loss(self, logits: Tensor, goal: Goal) -> Tensor:
        """What an attack lowers (clips,): what of the victim and the detector is not yet satisfied."""
        if goal.labels.dim() == 1:
            return (SHARPNESS * torch.stack(self._margins(logits, goal))).logsumexp(0) / SHARPNESS
        own, refused = self._parts(logits)
        return torch.where(self.victim.meets(own, goal) & (refused > -UNSURE), refused, self.victim.loss(own, goal))

    def possible(self, inputs: Inputs, goal: Goal) -> Tensor:
        """Whether there is any decision that would meet the goal (clips,)."""
        return self.victim.possible(inputs, goal)

    def decode(self, logits: Tensor, inputs: Inputs | None = None) -> tuple[Tensor, Tensor]:
        """The victim's decision and how sure it is, refused or not."""
        return self.victim.decode(self._parts(logits)[0], inputs)

    def encode(self, names: list[str]) -> Tensor:
        """The victim's labels of these names."""
        return self.victim.encode(names)

    def names(self, decided: Tensor) -> list[str]:
        """The names of decided labels."""
        return self.victim.names(decided)

    def _margins(self, logits: Tensor, goal: Goal) -> tuple[Tensor, Tensor]:
        """How far the victim and the detector are from being satisfied, each (clips,), in spreads."""
        own, refused = self._parts(logits)
        return self.victim.margin(own, goal) / self.margin_spread, refused + 2 * UNSURE

    def _parts(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The victim's own logits, and by how many spreads the detector refuses the clip (clips,), negative if not."""
        score = logits[:, -1].reshape(len(logits), -1)[:, 0]
        return logits[:, :-1], (self.threshold - score) / self.spread
