"""Ground floor: a trained network with its front end and its decision; all that attacks and scores know of a model."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stages.frame import parameters
from stages.frame.errors import UserError
from stages.frame.modules import find
from stages.frame.shards import FRONT_END

Inputs = dict[str, Tensor]
Bounds = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Goal:
    """What an attack is to make of each example: anything but `labels` (untargeted), or exactly `labels` (targeted)."""

    labels: Tensor
    targeted: bool

    def reached(self, labels: Tensor) -> Tensor:
        """Whether decisions `labels` (examples,) meet the goal."""
        return (labels == self.labels) == self.targeted


class Victim:
    """A model under attack.

    `inputs` is a dict of tensors, first dimension the example; those named in `bounds`, which gives each one's valid
    range, can be perturbed. `attacked_on` says what attacks take margins of: the logits, or the probabilities.
    """

    def __init__(
        self,
        module: nn.Module,
        labels: list[str],
        *,
        bounds: Bounds,
        attacked_on: Literal["logits", "probabilities"] = "logits",
    ):
        self.module = module.eval().requires_grad_(False)
        self.labels, self.bounds, self.attacked_on = labels, bounds, attacked_on

    def logits(self, inputs: Inputs) -> Tensor:
        """Logits (examples, labels)."""
        return self.module(inputs)

    def attacked_scores(self, inputs: Inputs) -> Tensor:
        """What margins are taken of (examples, labels)."""
        logits = self.logits(inputs)
        return logits.softmax(-1) if self.attacked_on == "probabilities" else logits

    def loss(self, inputs: Inputs, goal: Goal) -> Tensor:
        """What an attack lowers, (examples,): the cross-entropy to the target, or minus that to the true label."""
        loss = cross_entropy(self.logits(inputs), goal.labels, reduction="none")
        return loss if goal.targeted else -loss

    def decode(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Decided label and its probability, each (examples,)."""
        confidence, label = logits.softmax(-1).max(-1)
        return label, confidence


def padded_batch(arrays: list[np.ndarray], device: str, name: str = "audio") -> Inputs:
    """`name` (clips, longest, ...) on the device, zero after each clip's end, and `<name>_length` (clips,) on the CPU."""
    lengths = [len(array) for array in arrays]
    padded = np.zeros((len(arrays), max(lengths), *arrays[0].shape[1:]), np.float32)
    for row, array in zip(padded, arrays):
        row[: len(array)] = array
    return {name: torch.from_numpy(padded).to(device), f"{name}_length": torch.tensor(lengths)}


def build(
    network: str, number_of_labels: int, values: dict[str, Any], *, where: str, signal: dict[str, Any]
) -> nn.Module:
    """The untrained module of `stages/networks/<network>.py`, its parameters checked under the name `where`.

    `signal` is what the network is told of its inputs, such as `sample_rate_hz` or `mels`.

    Raises:
        UserError: no such file, or a wrong parameter.
    """
    function = find("networks", network, "build", where=f"{where}.network")
    return parameters.bind(function, where, values, passed=tuple(signal))(number_of_labels, **signal)


def front_end(feature: str, values: dict[str, Any], *, where: str) -> nn.Module:
    """The module of `stages/features/<feature>.py`, its parameters checked under the name `where`.

    Raises:
        UserError: no such file, or a wrong parameter.
    """
    return parameters.bind(
        find("features", feature, "build", where=f"{where}.feature"), f"{where}.parameters", values
    )()


def save(folder: Path, module: nn.Module, config: dict[str, Any]) -> None:
    """Writes `weights.safetensors` and `config.json`, of which `load` reads `network`, `parameters`, `signal`, `labels`
    and `bounds` (of each perturbed input, null for none).
    """
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, folder / "weights.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def load(folder: str | Path, *, network: str, device: str, attacked_on: str = "logits") -> Victim:
    """The victim in `folder`; behind the learned front end that lies beside it, where there is one.

    Raises:
        UserError: the folder is incomplete, or holds another network than `network`.
    """
    from safetensors.torch import load_file

    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise UserError(folder, expected="a trained model", found="no config.json", do="run dvc repro")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["network"] != network:
        raise UserError(
            folder, expected=f"the network {network!r}", found=config["network"], do="name this one in the item"
        )
    module = build(network, len(config["labels"]), config["parameters"], where=str(folder), signal=config["signal"])
    try:
        module.load_state_dict(load_file(folder / "weights.safetensors"))
    except RuntimeError as error:
        raise UserError(folder, expected="weights of this network", found=str(error), do="train it again") from error
    if (folder.parent / FRONT_END).is_dir():
        module = _behind(folder.parent / FRONT_END, config["front_end"], module, device)
    bounds = {name: tuple(limits or (-math.inf, math.inf)) for name, limits in config["bounds"].items()}
    return Victim(module.to(device), config["labels"], bounds=bounds, attacked_on=attacked_on)


def _behind(folder: Path, made_by: dict[str, Any], head: nn.Module, device: str) -> nn.Module:
    from stages.networks.encoded import Encoded

    feature = made_by["feature"]
    load_front_end = parameters.bind(
        find("features", feature, "load", where=str(folder)), feature, made_by["parameters"]
    )
    return Encoded(load_front_end(folder, device), head)
