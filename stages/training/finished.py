"""Room of training: the method `finished`, which takes in a classifier that was trained elsewhere."""

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from stages import victim
from stages.frame import weights
from stages.frame.errors import UserError
from stages.frame.parameters import Count
from stages.learning import foreign
from stages.training.classification import decisions
from stages.training.task import Outcome, Task, by_share

BATCH_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the network was trained to tell, and its weights.

    Args:
        weights: path of a safetensors file, or of a `state_dict` as `torch.save` writes it, of which tensors alone are
            read. Its names are those of the whole network, or of what it holds as `network`.
        labels: of the network's outputs, in their order; all those of the corpus are among them.
        sample_rate_hz: of the sound that it was trained on, which has to be that of the set.
    """

    weights: str
    labels: list[str]
    sample_rate_hz: Count


def train(task: Task, recipe: Recipe) -> Outcome:
    """Writes the one model, and its decision on every clip of the corpus, by which its accuracy is told.

    Raises:
        UserError: labels that are given twice or lack one of the corpus, sound of another rate, or weights that are
            missing, damaged or another network's.
    """
    check(task, recipe.labels, recipe.sample_rate_hz)
    signal = task.clips.about["signal"]
    given = {"where": "the victim's parameters", "signal": signal}
    module = victim.build(task.config["network"], len(recipe.labels), task.config["parameters"], **given)
    _load(module, Path(recipe.weights))
    return judged(task, module, recipe.labels)


def judged(task: Task, module: nn.Module, labels: list[str]) -> Outcome:
    """Writes a classifier whose outputs mean `labels`, and its decisions, as `train` does."""
    weights.save(task.finished, module, task.config | {"labels": labels})
    task = replace(task, labels=labels)
    decided = decisions(module.to(task.device), task, BATCH_SIZE)
    decided.to_csv(task.finished / "decisions.csv", index=False)
    test = decided[decided.split == "test"]
    chance = test.label.value_counts(normalize=True).max()
    outcome = by_share("accuracy", (test.decision == test.label).mean(), chance=chance, clips=len(test))
    if not outcome.no_better_than:
        return outcome
    order = f"; are the labels in the order of the network's outputs ({', '.join(labels)})?"
    return replace(outcome, no_better_than=outcome.no_better_than + order)


def check(task: Task, labels: list[str], sample_rate_hz: int) -> None:
    """Passes a corpus that a classifier of these labels, trained on sound of this rate, can be judged on.

    Raises:
        UserError: labels that are given twice or lack one of the corpus, or sound of another rate.
    """
    twice = sorted({label for label in labels if labels.count(label) > 1})
    lacking = sorted(set(task.labels) - set(labels))
    if twice or lacking:
        found = ", ".join([*(f"{label!r} twice" for label in twice), *(f"none {label!r}" for label in lacking)])
        where, expected = "params.yaml: labels of a finished victim", "each label once, all of the corpus's among them"
        raise UserError(where, expected, found, "name what each output of the network means, in their order")
    rate_hz = task.clips.about["signal"]["sample_rate_hz"]
    if rate_hz != sample_rate_hz:
        do = f"set decoding.sample_rate_hz of the corpus to {sample_rate_hz}, or the victim's, if it knows {rate_hz} Hz"
        raise UserError(task.clips.folder, f"sound at {sample_rate_hz} Hz", f"{rate_hz} Hz", do)


def _load(module: nn.Module, path: Path) -> None:
    """Gives the module, or what it holds as `network`, the tensors of the file."""
    if path.suffix == ".safetensors":
        state = weights.read(path, do="name the file of the weights")
    else:
        state = foreign.read_checkpoint(path, address="the file of the weights", sha256=None)
    named_whole = isinstance(state, dict) and set(state) == set(module.state_dict())
    inner = module if named_whole else getattr(module, "network", module)
    foreign.take(inner, state, path, expected="this network", address="its maker's")
