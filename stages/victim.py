"""Ground floor: a trained network with its front end and its decision; all that attacks and scores know of a model."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from stages.frame import about, code, json_files, parameters, weights
from stages.frame.ctc import PADDING, characters, ctc, greedy, steps_needed, texts
from stages.frame.errors import UserError
from stages.frame.modules import find
from stages.frame.shards import FRONT_END

Inputs = dict[str, Tensor]
Bounds = dict[str, tuple[float, float]]
# Batches of another size round otherwise: by how many units in the last place of the largest logit, at most (in the
# studies 15). What is decided by more than this is decided so in any batch; searches keep twice as much.
ROUNDING = 32


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

    def attacked_scores(self, logits: Tensor) -> Tensor:
        """What margins are taken of (examples, labels).

        Probabilities are float64: in float32 a label's is one, and without a gradient, from a gap of 16 logits on.
        """
        return logits.double().softmax(-1) if self.attacked_on == "probabilities" else logits

    def margin(self, logits: Tensor, goal: Goal) -> Tensor:
        """How far each example is from what a search is to come to (examples,); negative where the goal is surely met.

        The attacked score of the true label less the highest other one, or the highest other one less the target's, and
        twice what may be rounding.
        """
        gap, unsure = self._gap(logits, goal)
        return (gap + 2 * unsure).to(logits.dtype)

    def meets(self, logits: Tensor, goal: Goal) -> Tensor:
        """Whether what is decided meets the goal in a batch of any size (examples,)."""
        gap, unsure = self._gap(logits, goal)
        return gap < -unsure

    def _gap(self, logits: Tensor, goal: Goal) -> tuple[Tensor, Tensor]:
        """The difference of scores of which the margin is made, and what of it may be rounding, both (examples,)."""
        scores, labels = self.attacked_scores(logits), goal.labels[:, None]
        own = scores.gather(1, labels)[:, 0]
        other = scores.scatter(1, labels, -torch.inf).amax(1)
        unsure = rounding(logits) * (scores.detach().amax(1) if self.attacked_on == "probabilities" else 1)
        return other - own if goal.targeted else own - other, unsure

    def loss(self, logits: Tensor, goal: Goal) -> Tensor:
        """What an attack lowers, (examples,): the log odds of the true label, or minus those of the target.

        For steps by a gradient's direction this is the cross-entropy, which is log(1 + exp(minus the log odds)).
        """
        odds = log_odds(logits, goal.labels)
        return -odds if goal.targeted else odds

    def possible(self, inputs: Inputs, goal: Goal) -> Tensor:
        """Whether there is any decision that would meet the goal (examples,)."""
        return torch.full_like(goal.labels, goal.targeted or len(self.labels) > 1, dtype=torch.bool)

    def decide(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Decided label and its probability, each (examples,)."""
        return self.decode(self.logits(inputs), inputs)

    def decode(self, logits: Tensor, inputs: Inputs | None = None) -> tuple[Tensor, Tensor]:
        """The same of the logits that `inputs` have."""
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
    last, which is certain after an example's end; `steps` of the module says how many of an example's come before.
    Labels are (examples, characters), `PADDING` after a text's end.
    """

    def sure(self, logits: Tensor) -> Tensor:
        """Whether the most probable path is so in a batch of any size (examples,)."""
        steps = logits.flatten(0, 1)
        first, second = steps.topk(2, -1).values.unbind(-1)
        return ((first - second) > rounding(steps)).view(logits.shape[:2]).all(1)

    def meets(self, logits: Tensor, goal: Goal) -> Tensor:
        """Whether what is decided meets the goal in a batch of any size (examples,)."""
        return goal.reached(self.decode(logits)[0]) & self.sure(logits)

    def loss(self, logits: Tensor, goal: Goal) -> Tensor:
        """Minus the logarithm of the target's probability, or for an untargeted goal that of the text's."""
        loss = ctc(logits, goal.labels)
        return loss if goal.targeted else -loss

    def possible(self, inputs: Inputs, goal: Goal) -> Tensor:
        """Whether there is any decision that would meet the goal (examples,): a text takes steps."""
        if not goal.targeted:
            return torch.ones_like(goal.labels[:, 0], dtype=torch.bool)
        needed = steps_needed(goal.labels)
        return needed <= self.module.steps(inputs).to(needed.device)

    def decode(self, logits: Tensor, inputs: Inputs | None = None) -> tuple[Tensor, Tensor]:
        """The text of the most probable path (examples, steps), and the geometric mean of its steps' probabilities.

        The inputs say how many steps of an example count; without them all do.
        """
        return greedy(
            logits, torch.full((len(logits),), logits.shape[1]) if inputs is None else self.module.steps(inputs)
        )

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


def rounding(logits: Tensor) -> Tensor:
    """How much of a difference of logits (examples, labels) may be what floats round in one batch and not in another.

    Logits below one may be differences of what is not, whose rounding they keep.
    """
    return ROUNDING * torch.finfo(logits.dtype).eps * logits.detach().abs().amax(1).clamp_min(1)


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """The logarithm of the odds (examples,) of `labels`, log p / (1 - p), with a gradient however sure they are."""
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return logits.gather(1, labels[:, None])[:, 0] - others.logsumexp(1)


def padded_batch(arrays: list[np.ndarray], device: str, name: str = "audio") -> Inputs:
    """`name` (clips, longest, ...) on the device, zero after a clip's end, and `<name>_length` (clips,) on the CPU."""
    lengths = [len(array) for array in arrays]
    padded = np.zeros((len(arrays), max(lengths), *arrays[0].shape[1:]), np.float32)
    for row, array in zip(padded, arrays):
        row[: len(array)] = array
    return {name: torch.from_numpy(padded).to(device), f"{name}_length": torch.tensor(lengths)}


def inside(inputs: Inputs) -> Tensor:
    """Which samples of `audio` (clips, longest) lie before their clip's end, `audio_length`: (clips, longest)."""
    audio = inputs["audio"]
    return torch.arange(audio.shape[1], device=audio.device) < inputs["audio_length"].to(audio.device)[:, None]


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
    parameters.bind(function, f"{where}.signal", signal, passed=tuple(values))
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


def config_of(folder: str | Path) -> dict[str, Any]:
    """What `config.json` says of the model in `folder`.

    Raises:
        UserError: there is none, or it is damaged.
    """
    return json_files.read(Path(folder, weights.CONFIG), about.MODEL, what="a trained model", do="run dvc repro")


def made_by(folder: str | Path) -> list[Path]:
    """The files and folders that say what the model in `folder` decides: its own, its code, a learned front end's.

    Raises:
        UserError: there is no model.
    """
    config, learned = config_of(folder), Path(folder).parent / FRONT_END
    front_end = [f"stages/features/{config['front_end']['feature']}.py"] if learned.is_dir() else []
    files = code.whole("stages/victim.py", f"stages/networks/{config['network']}.py", *front_end)
    return [Path(folder), *([learned] if learned.is_dir() else []), *files]


def import_network(folder: str | Path) -> None:
    """Imports the network of the model in `folder`, so that what a stage's work is resumed by counts it as its code.

    Raises:
        UserError: there is no model.
    """
    find("networks", config_of(folder)["network"], "build", where=f"{folder}/config.json")


def load(folder: str | Path, *, device: str) -> Victim:
    """The victim in `folder`; behind the learned front end that lies beside it, where there is one.

    Raises:
        UserError: the folder is incomplete or damaged.
    """
    folder = Path(folder)
    config = config_of(folder)
    make = partial(
        build,
        *(config["network"], len(config["labels"]), config["parameters"]),
        where=str(folder),
        signal=config["signal"],
    )
    module = weights.load(make, folder, do="train it again")
    if (folder.parent / FRONT_END).is_dir():
        module = Encoded(_learned_front_end(folder.parent / FRONT_END, config, device), module)
    bounds = {name: tuple(limits or (-math.inf, math.inf)) for name, limits in config["bounds"].items()}
    # A network may bring a kind of victim of its own.
    made = getattr(module, "kind", Transcriber if config["decides"] == "text" else Victim)
    attacked_on = config.get("attacked_on", "logits")
    return made(module.to(device), config["labels"], bounds=bounds, attacked_on=attacked_on)


def _learned_front_end(folder: Path, config: dict[str, Any], device: str) -> nn.Module:
    made_by = config.get("front_end")
    if made_by is None:
        raise UserError(folder, "no front end beside a model that takes sound as it is", "one", "train it again")
    feature = made_by["feature"]
    function = find("features", feature, "load", where=str(folder))
    return parameters.bind(function, feature, made_by["parameters"])(folder, device)
