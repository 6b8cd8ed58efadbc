"""Room of training: what every training method is given, and what it tells."""

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn

from stages import victim
from stages.frame import finite, shards
from stages.frame.clip_table import SPLITS
from stages.frame.errors import UserError
from stages.frame.memory import KeptSet
from stages.frame.modules import find
from stages.frame.scratch import move, scratch_folder
from stages.training.entry import Entry

# What to do about numbers that are not finite, for errors.
OTHERWISE = "train it otherwise, such as at a lower learning rate"


@dataclass(frozen=True)
class Task:
    """Clips to learn from, and where the result goes.

    `clips` holds the readable clips with what the network takes in, `beside` is another set of the same clips that the
    method may read. `build()` makes the untrained module from torch's current seed, its keyword arguments taking the
    place of the victim's parameters; `config` is what a finished model's `config.json` says. Unfinished work stays in
    `scratch`, models are written into `finished`.
    """

    clips: shards.ShardSet
    beside: shards.ShardSet
    labels: list[str]
    build: Callable[..., nn.Module]
    config: dict[str, Any]
    device: str
    scratch: Path
    finished: Path


@dataclass(frozen=True)
class Outcome:
    """What a trained victim is worth: a measure of it, and what it should beat and does not."""

    told: str
    no_better_than: str = ""


def check_outputs(values: Tensor, keys: Sequence[str]) -> None:
    """Passes what a network says of clips (clips, ...), if it is finite: to NaN no comparison applies.

    Raises:
        UserError: something of it is not.
    """
    for key, own in zip(keys, values.reshape(len(values), -1).isfinite().all(1).tolist()):
        if not own:
            raise UserError(f"what the network says of the clip {key}", "finite numbers", "NaN or infinity", OTHERWISE)


def check_two_labels(task: Task) -> None:
    """Passes clips of two labels or more, of which the network is to tell one.

    Raises:
        UserError: there is one alone, or none.
    """
    if len(task.labels) < 2:
        found = f"{len(task.labels)}: {', '.join(task.labels)}"
        raise UserError(task.clips.folder, "at least two labels", found, "add clips of others, or take another corpus")


def check_splits(task: Task, table: pd.DataFrame, what: str, *, least: int = 1) -> None:
    """Passes clips that can be learned from and judged on: at least so many, called `what`, in each split.

    Raises:
        UserError: there are fewer in one.
    """
    for split in SPLITS:
        count = int((table.split == split).sum())
        if count < least:
            expected = f"at least {least} {what} in the split {split}"
            do = "change how corpora.* deals its clips or speakers to the splits"
            raise UserError(task.clips.folder, expected, f"{count}", do)


def check_room(keys: Sequence[str], labels: Tensor, steps: Tensor) -> None:
    """Passes clips whose text has room in their steps of CTC: of others the loss is zero, and teaches nothing.

    Args:
        keys: of the clips, for errors.
        labels: what `victim.characters` makes of their texts (clips, longest).
        steps: how many each clip has at least (clips,).

    Raises:
        UserError: a text needs more.
    """
    for key, needed, own in zip(keys, victim.steps_needed(labels).tolist(), steps.tolist()):
        if own < needed:
            expected = f"at least {needed} steps for its text"
            raise UserError(f"clip {key}", expected, f"{own}", "leave it out of the corpus")


def by_share(measure: str, share: float, *, chance: float, clips: int) -> Outcome:
    """A share of right decisions on so many clips, which is doubtful within two standard errors of chance.

    Raises:
        UserError: there are no clips, or the share is otherwise NaN.
    """
    finite.check(share, f"{clips} test clips", measure, do=OTHERWISE)
    doubtful = share <= chance + 2 * math.sqrt(chance * (1 - chance) / max(1, clips))
    return Outcome(f"{measure} {share:.3f} on {clips} test clips", f"chance ({chance:.3f})" if doubtful else "")


@dataclass(frozen=True)
class Place:
    """Of which study and under which name a victim is trained, on which device, by which section of params.yaml."""

    study: str
    name: str
    device: str
    where: str


@contextmanager
def opened(entry: Entry, recipe: Any, place: Place) -> Iterator[Task]:
    """The task of training a victim; what was written into `finished` is moved to `models/<study>/<name>` in the end.

    Raises:
        UserError: there is no such set, or no model to start from.
    """
    data, models = Path("data", place.study), Path("models", place.study)
    clips, beside = KeptSet(data / entry.inputs), KeptSet(data / (entry.beside or entry.inputs))
    clips.table = clips.table[clips.table.problem == ""]
    labels, decides = victim.labels_of(clips.table)
    others = [models / name for name in (entry.starts_from, entry.against) if name]
    entry = _as_started(entry, models, f"params.yaml: {place.where}.parameters")
    output = models / place.name
    # Loaded now, so that the network's code too is part of what half-done work is known by.
    find("networks", entry.network, "build", where=f"{place.where}.network")
    settings = [asdict(entry), asdict(recipe), place.device.split(":")[0]]

    def build(**changes: Any) -> nn.Module:
        given, signal = entry.parameters | changes, clips.about["signal"]
        return victim.build(entry.network, len(labels), given, where=f"{place.where}.parameters", signal=signal)

    config = {"network": entry.network, "parameters": entry.parameters, "labels": labels, "decides": decides}
    config |= {"attacked_on": entry.attacked_on} | clips.about
    with scratch_folder(output, inputs=[clips.folder, beside.folder, *others], settings=settings) as scratch:
        finished = scratch / "finished"
        shutil.rmtree(finished, ignore_errors=True)
        finished.mkdir()
        yield Task(clips, beside, labels, build, config, place.device, scratch, finished)
        if (clips.folder / shards.FRONT_END).is_dir():
            shutil.copytree(clips.folder / shards.FRONT_END, finished / shards.FRONT_END)
        move(finished, output)


def _as_started(entry: Entry, models: Path, where: str) -> Entry:
    """The entry with the network's parameters of the model that it starts from, if it starts from one."""
    if entry.starts_from is None:
        return entry
    if entry.parameters:
        raise UserError(where, "none, as those of `starts_from` hold", "some", "leave them out")
    start = models / entry.starts_from
    config = victim.config_of(start)
    if config["network"] != entry.network:
        raise UserError(start, f"the network {entry.network!r}", config["network"], "name this one in the victim")
    return replace(entry, parameters=config["parameters"])
