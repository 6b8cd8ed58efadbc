"""Ground floor: a trained network with its front end and its decision; all that attacks and scores know of a model."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, ctc_loss, pad

from stages.frame import parameters
from stages.frame.errors import UserError
from stages.frame.modules import find
from stages.frame.shards import FRONT_END

Inputs = dict[str, Tensor]
Bounds = dict[str, tuple[float, float]]
# What fills rows of characters up behind their ends.
PADDING = -1


@dataclass(frozen=True)
class Goal:
    """What an attack is to make of each example: anything but `labels` (untargeted), or exactly `labels` (targeted).

    `labels` is what `Victim.encode` makes of names: (examples,) for classes, (examples, longest) for texts.
    """

    labels: Tensor
    targeted: bool

    def reached(self, labels: Tensor) -> Tensor:
        """Whether decisions, of the form of `labels` and for texts of any length, meet the goal: (examples,)."""
        if self.labels.dim() == 1:
            return (labels == self.labels) == self.targeted
        longest = max(labels.shape[1], self.labels.shape[1])
        first, second = (pad(one, (0, longest - one.shape[1]), value=PADDING) for one in (labels, self.labels))
        return (first == second).all(1) == self.targeted


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

    def encode(self, names: list[str]) -> Tensor:
        """The labels (examples,) of these names.

        Raises:
            UserError: a name that the model does not decide on.
        """
        index_of = {label: index for index, label in enumerate(self.labels)}
        strange = sorted(set(names) - set(index_of))
        if strange:
            raise UserError(
                "what the clips are to become", f"labels of {', '.join(self.labels)}", repr(strange[0]), "correct it"
            )
        return torch.tensor([index_of[name] for name in names], device=self.device)

    def names(self, decided: Tensor) -> list[str]:
        """The names of decided labels."""
        return [self.labels[index] for index in decided.tolist()]

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.module.parameters()).device


class Transcriber(Victim):
    """A model whose decisions are texts, read off by connectionist temporal classification (CTC; Graves et al. 2006).

    Its `labels` are the characters of an alphabet; its logits are (examples, steps, characters + 1) with the blank
    last, which is certain after an example's end. Labels are (examples, characters), `PADDING` after a text's end.
    """

    def loss(self, inputs: Inputs, goal: Goal) -> Tensor:
        """Minus the logarithm of the target's probability, or for an untargeted goal that of the text's."""
        loss = ctc(self.logits(inputs), goal.labels)
        return loss if goal.targeted else -loss

    def decode(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The text of the most probable path (examples, steps), and the geometric mean of its steps' probabilities."""
        return greedy(logits, torch.full((len(logits),), logits.shape[1]))

    def encode(self, names: list[str]) -> Tensor:
        """The characters of these texts (examples, longest)."""
        return characters(names, self.labels).to(self.device)

    def names(self, decided: Tensor) -> list[str]:
        """The texts of decided labels."""
        return texts(decided, self.labels)


class Encoded(nn.Module):
    """A head behind the learned front end that makes its frames, so that waveforms can be attacked.

    Waveforms, and texts where the head takes them, to logits; `takes` names the inputs. `front_end` makes frames and
    their numbers of `audio` (examples, samples) and `audio_length` (examples,).
    """

    def __init__(self, front_end: nn.Module, head: nn.Module):
        super().__init__()
        self.front_end, self.head = front_end, head
        self.takes = ("audio", "text") if head.takes_text else ("audio",)

    def prepare(self, inputs: Inputs) -> Inputs:
        """What is attacked: the waveforms as they are."""
        return inputs

    def forward(self, inputs: Inputs) -> Tensor:
        """Logits (examples, labels)."""
        frames, lengths = self.front_end(inputs["audio"], inputs["audio_length"])
        text = (inputs["text"], inputs["text_length"]) if self.head.takes_text else ()
        return self.head(frames, lengths, *text)


def greedy(logits: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The labelling of the best path through CTC outputs of each clip, and how sure of that path the network is.

    A path has one class for each step, the last one being blank; it stands for the labelling that is left when equal
    neighbours are merged and then blanks dropped (Graves et al. 2006).

    Args:
        logits: (clips, steps, classes).
        lengths: (clips,), valid steps of each clip.

    Returns:
        labels (clips, steps), long, each clip's in front and `PADDING` after them; and the confidence (clips,) in
        (0, 1], the geometric mean of the best path's probabilities over the valid steps, 1 where there are none.
    """
    clips, steps, classes = logits.shape
    best_log_p, path = logits.log_softmax(-1).max(-1)
    valid = torch.arange(steps, device=logits.device) < lengths.to(logits.device)[:, None]
    before = torch.nn.functional.pad(path, (1, 0), value=classes - 1)[:, :-1]
    kept = valid & (path != before) & (path != classes - 1)
    # Labels go to their places one behind the other, all else to a column that is then cut off.
    place = torch.where(kept, kept.cumsum(1) - 1, steps)
    labels = path.new_full((clips, steps + 1), PADDING).scatter_(1, place, path)[:, :steps]
    mean_log_p = (best_log_p * valid).sum(1) / valid.sum(1).clamp(min=1)
    return labels, mean_log_p.exp()


def texts(labels: Tensor, alphabet: str | list[str]) -> list[str]:
    """The text of each row of `labels` (clips, steps), numbers of characters of `alphabet`, or negative for none."""
    return ["".join(alphabet[label] for label in row if label >= 0) for row in labels.tolist()]


def characters(sentences: list[str], alphabet: list[str]) -> Tensor:
    """The characters of texts as numbers (texts, longest), `PADDING` after each one's end.

    Raises:
        UserError: a character that is not of the alphabet.
    """
    index_of = {character: index for index, character in enumerate(alphabet)}
    rows = torch.full((len(sentences), max(1, *map(len, sentences))), PADDING)
    for row, text in zip(rows, sentences):
        strange = sorted(set(text) - set(alphabet))
        if strange:
            raise UserError(
                f"the text {text!r}", f"characters of {''.join(alphabet)!r}", repr(strange[0]), "spell it otherwise"
            )
        row[: len(text)] = torch.tensor([index_of[character] for character in text], dtype=torch.long)
    return rows


def ctc(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss (examples,) of CTC.

    Logits are (examples, steps, characters + 1) with the blank last, labels as `characters` makes them.
    A text that is too long for the steps has a loss of zero, and no gradient.
    """
    steps = torch.full((len(logits),), logits.shape[1])
    lengths = (labels != PADDING).sum(1)
    log_probabilities = logits.log_softmax(-1).transpose(0, 1)
    return ctc_loss(
        log_probabilities, labels, steps, lengths, logits.shape[2] - 1, reduction="none", zero_infinity=True
    )


def padded_batch(arrays: list[np.ndarray], device: str, name: str = "audio") -> Inputs:
    """`name` (clips, longest, ...) on the device, zero after a clip's end, and `<name>_length` (clips,) on the CPU."""
    lengths = [len(array) for array in arrays]
    padded = np.zeros((len(arrays), max(lengths), *arrays[0].shape[1:]), np.float32)
    for row, array in zip(padded, arrays):
        row[: len(array)] = array
    return {name: torch.from_numpy(padded).to(device), f"{name}_length": torch.tensor(lengths)}


def labels_of(table: pd.DataFrame) -> tuple[list[str], Literal["label", "text"]]:
    """What is to be decided of a table's clips: their labels, or where they have none their texts, in characters."""
    if any(table.label):
        return sorted(set(table.label)), "label"
    return sorted(set("".join(table.text))), "text"


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


def front_end_of(folder: str | Path) -> nn.Module:
    """The front end by which the inputs of the model in `folder` were made of waveforms.

    Raises:
        UserError: the folder holds no trained model, or one of sound as it is.
    """
    made_by = config_of(folder).get("front_end")
    if made_by is None:
        raise UserError(folder, "a model that takes what a front end makes", "one without", "name another one")
    return front_end(made_by["feature"], made_by["parameters"], where=str(folder))


def save(folder: Path, module: nn.Module, config: dict[str, Any]) -> None:
    """Writes `weights.safetensors` and `config.json`.

    Of the latter `load` reads `network`, `parameters`, `signal`, `labels`, `decides`, `bounds` (of each perturbed
    input, null for none) and, where it is there, `attacked_on`.
    """
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, folder / "weights.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def config_of(folder: str | Path) -> dict[str, Any]:
    """What `config.json` says of the model in `folder`.

    Raises:
        UserError: there is none.
    """
    path = Path(folder, "config.json")
    if not path.is_file():
        raise UserError(folder, "a trained model", "no config.json", "run dvc repro")
    return json.loads(path.read_text(encoding="utf-8"))


def import_network(folder: str | Path) -> None:
    """Imports the network of the model in `folder`, so that what a stage's work is resumed by counts it as its code.

    Raises:
        UserError: there is no model.
    """
    find("networks", config_of(folder)["network"], "build", where=f"{folder}/config.json")


def load(folder: str | Path, *, device: str) -> Victim:
    """The victim in `folder`; behind the learned front end that lies beside it, where there is one.

    Raises:
        UserError: the folder is incomplete.
    """
    from safetensors.torch import load_file

    folder = Path(folder)
    config = config_of(folder)
    module = build(
        config["network"], len(config["labels"]), config["parameters"], where=str(folder), signal=config["signal"]
    )
    try:
        module.load_state_dict(load_file(folder / "weights.safetensors"))
    except FileNotFoundError as error:
        raise UserError(folder, "weights of a trained model", "no weights.safetensors", "train it again") from error
    except RuntimeError as error:
        raise UserError(folder, "weights of this network", str(error), "train it again") from error
    if (folder.parent / FRONT_END).is_dir():
        module = Encoded(_learned_front_end(folder.parent / FRONT_END, config["front_end"], device), module)
    bounds = {name: tuple(limits or (-math.inf, math.inf)) for name, limits in config["bounds"].items()}
    made = Transcriber if config["decides"] == "text" else Victim
    attacked_on = config.get("attacked_on", "logits")
    return made(module.to(device), config["labels"], bounds=bounds, attacked_on=attacked_on)


def _learned_front_end(folder: Path, made_by: dict[str, Any], device: str) -> nn.Module:
    feature = made_by["feature"]
    function = find("features", feature, "load", where=str(folder))
    return parameters.bind(function, feature, made_by["parameters"])(folder, device)
