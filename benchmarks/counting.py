"""Benchmarks: a network that counts what an attack asks of it, and the same passes without the attack."""

import torch
from torch import Tensor, nn


def inputs(audio: Tensor) -> dict[str, Tensor]:
    """What a network takes, of whole clips (clips, samples)."""
    return {"audio": audio, "audio_length": torch.full((len(audio),), audio.shape[1])}


class Counting(nn.Module):
    """A network that writes down its calls, each as [examples, with gradient?, backward passes through it].

    `forwards` and `backwards` are sums over examples: a batch of eight counts eight.
    """

    def __init__(self, network: nn.Module, labels: list[str]):
        super().__init__()
        self.network, self.labels = network, labels
        self.calls: list[list[int]] = []

    def forward(self, named: dict[str, Tensor]) -> Tensor:
        """The network's logits (clips, labels)."""
        logits = self.network(named)
        call = [len(logits), logits.requires_grad, 0]
        self.calls.append(call)
        if logits.requires_grad:
            logits.register_hook(lambda gradient: call.__setitem__(2, call[2] + 1))
        return logits

    @property
    def forwards(self) -> int:
        """Forward passes of single examples."""
        return sum(examples for examples, _, _ in self.calls)

    @property
    def backwards(self) -> int:
        """Backward passes of single examples."""
        return sum(examples * passes for examples, _, passes in self.calls)


def bare_passes(network: nn.Module, audio: Tensor, calls: list[list[int]]) -> None:
    """Passes of `network` in the number, the batches and the order of `calls`, and nothing else."""
    for examples, with_gradient, passes in calls:
        x = audio[:examples].clone().requires_grad_(with_gradient)
        with torch.set_grad_enabled(with_gradient):
            logits = network(inputs(x))
        for number in range(passes):
            torch.autograd.grad(logits.sum(), x, retain_graph=number < passes - 1)
