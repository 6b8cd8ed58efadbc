"""Benchmarks: the attacks of other toolkits in one form: (network, clips, labels) to adversarial clips.

Networks are `Counting`, clips (clips, samples) in [-1, 1], labels (clips,). A toolkit that insists on [0, 1], or errs
by a factor elsewhere, is given that range and its outcome taken back.
"""

import torch
from torch import Tensor, nn

from benchmarks.counting import Counting, inputs

DEEPFOOL_STEPS, OVERSHOOT, CANDIDATES = 50, 0.02, 10
FIRST_C = 1e-3
# Of the blend with noise from which Brendel and Bethge's attack starts.
NOISE_STEPS = 20


class OnAudio(nn.Module):
    """A network of named inputs as one of audio alone, whose values lie in [-1, 1] or, at will, in [0, 1]."""

    def __init__(self, network: nn.Module, *, unit_range: bool):
        super().__init__()
        self.network, self.unit_range = network, unit_range

    def forward(self, audio: Tensor) -> Tensor:
        """Logits (clips, labels) of (clips, samples)."""
        return self.network(inputs(2 * audio - 1 if self.unit_range else audio))


def foolbox_deepfool(network: Counting, clips: Tensor, labels: Tensor) -> Tensor:
    """foolbox's DeepFool."""
    from foolbox.attacks import L2DeepFoolAttack

    attack = L2DeepFoolAttack(steps=DEEPFOOL_STEPS, candidates=CANDIDATES, overshoot=OVERSHOOT)
    return attack.run(_foolbox_model(network), clips, labels)


def foolbox_carlini_wagner(
    network: Counting, clips: Tensor, labels: Tensor, *, searches: int, iterations: int, learning_rate: float
) -> Tensor:
    """foolbox's L2 attack of Carlini and Wagner; clips without success are returned clean, where it returns zeros."""
    from foolbox.attacks import L2CarliniWagnerAttack

    attack = L2CarliniWagnerAttack(
        binary_search_steps=searches, steps=iterations, stepsize=learning_rate, initial_const=FIRST_C
    )
    found = attack.run(_foolbox_model(network), clips, labels)
    return torch.where(found.any(1, keepdim=True), found, clips)


def foolbox_ddn(network: Counting, clips: Tensor, labels: Tensor, *, steps: int) -> Tensor:
    """foolbox's DDN (Rony et al., CVPR 2019)."""
    from foolbox.attacks import DDNAttack

    return DDNAttack(steps=steps).run(_foolbox_model(network), clips, labels)


def foolbox_fmn(network: Counting, clips: Tensor, labels: Tensor, *, steps: int) -> Tensor:
    """foolbox's FMN in L2 (Pintor et al., NeurIPS 2021)."""
    from foolbox.attacks import L2FMNAttack

    return L2FMNAttack(steps=steps).run(_foolbox_model(network), clips, labels)


def foolbox_brendel_bethge(network: Counting, clips: Tensor, labels: Tensor, *, steps: int) -> Tensor:
    """foolbox's attack of Brendel and Bethge (NeurIPS 2019), a clip at a time: one without a start stops a batch."""
    from foolbox.attacks import L2BrendelBethgeAttack, LinearSearchBlendedUniformNoiseAttack

    found = clips.clone()
    start = LinearSearchBlendedUniformNoiseAttack(directions=5, steps=NOISE_STEPS)
    attack = L2BrendelBethgeAttack(init_attack=start, steps=steps)
    for row in range(len(clips)):
        one = slice(row, row + 1)
        try:
            found[one] = attack.run(_foolbox_model(network), clips[one], labels[one])
        except ValueError as error:
            # What it says of a clip that noise does not make adversarial; such a one is returned clean.
            if "init_attack failed" not in str(error):
                raise
    return found


def torchattacks_deepfool(network: Counting, clips: Tensor, labels: Tensor) -> Tensor:
    """torchattacks' DeepFool, which has no choice of candidates."""
    import torchattacks

    attack = torchattacks.DeepFool(_on_unit_range(network), steps=DEEPFOOL_STEPS, overshoot=OVERSHOOT)
    return 2 * attack((clips + 1) / 2, labels) - 1


def torchattacks_carlini_wagner(
    network: Counting, clips: Tensor, labels: Tensor, *, iterations: int, learning_rate: float, c: float
) -> Tensor:
    """torchattacks' L2 attack of Carlini and Wagner, which has no search for c."""
    import torchattacks

    attack = torchattacks.CW(_on_unit_range(network), c=c, steps=iterations, lr=learning_rate)
    return 2 * attack((clips + 1) / 2, labels) - 1


def art_deepfool(network: Counting, clips: Tensor, labels: Tensor) -> Tensor:
    """ART's DeepFool, a clip at a time: in a batch it takes every clip's candidates for all."""
    from art.attacks.evasion import DeepFool

    attack = DeepFool(
        _art_model(network, clips), max_iter=DEEPFOOL_STEPS, epsilon=OVERSHOOT, nb_grads=CANDIDATES, verbose=False
    )
    return _from_art(attack, clips, labels)


def art_carlini_wagner(
    network: Counting, clips: Tensor, labels: Tensor, *, searches: int, iterations: int, learning_rate: float
) -> Tensor:
    """ART's L2 attack of Carlini and Wagner, a clip at a time: in a batch it takes every clip's classes for all."""
    from art.attacks.evasion import CarliniL2Method

    attack = CarliniL2Method(
        _art_model(network, clips),
        learning_rate=learning_rate,
        binary_search_steps=searches,
        max_iter=iterations,
        initial_const=FIRST_C,
        verbose=False,
    )
    return _from_art(attack, clips, labels)


def cleverhans_carlini_wagner(
    network: Counting, clips: Tensor, labels: Tensor, *, searches: int, iterations: int, learning_rate: float
) -> Tensor:
    """cleverhans' L2 attack of Carlini and Wagner."""
    from cleverhans.torch.attacks.carlini_wagner_l2 import carlini_wagner_l2

    return carlini_wagner_l2(
        OnAudio(network, unit_range=False),
        clips,
        len(network.labels),
        y=labels,
        lr=learning_rate,
        clip_min=-1,
        clip_max=1,
        initial_const=FIRST_C,
        binary_search_steps=searches,
        max_iterations=iterations,
    )


def _foolbox_model(network: Counting):
    import foolbox

    return foolbox.PyTorchModel(OnAudio(network, unit_range=False).eval(), bounds=(-1, 1), device="cpu")


def _on_unit_range(network: Counting) -> nn.Module:
    return OnAudio(network, unit_range=True).eval()


def _art_model(network: Counting, clips: Tensor):
    from art.estimators.classification import PyTorchClassifier

    # In [0, 1] because ART's DeepFool multiplies each step by the width of the range.
    return PyTorchClassifier(
        _on_unit_range(network),
        loss=nn.CrossEntropyLoss(),
        input_shape=tuple(clips.shape[1:]),
        nb_classes=len(network.labels),
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )


def _from_art(attack, clips: Tensor, labels: Tensor) -> Tensor:
    return 2 * torch.from_numpy(attack.generate(((clips + 1) / 2).numpy(), labels.numpy())) - 1
