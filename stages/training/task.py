"""Room of training: what every training method is given, and what it tells."""

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from stages import victim
from stages.frame import shards
from stages.frame.errors import UserError
from stages.frame.memory import KeptSet
from stages.frame.modules import find
from stages.training.entry import Entry


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


def by_share(measure: str, share: float, *, chance: float, clips: int) -> Outcome:
    """A share of right decisions on so many clips, which is doubtful within two standard errors of chance."""
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
    scratch = shards.scratch_folder(
        output,
        inputs=[clips.folder, beside.folder, *others],
        settings=[asdict(entry), asdict(recipe), place.device.split(":")[0]],
    )
    finished = scratch / "finished"
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()

    def build(**changes: Any) -> nn.Module:
        given, signal = entry.parameters | changes, clips.about["signal"]
        return victim.build(entry.network, len(labels), given, where=f"{place.where}.parameters", signal=signal)

    config = {"network": entry.network, "parameters": entry.parameters, "labels": labels, "decides": decides}
    config |= {"attacked_on": entry.attacked_on} | clips.about
    yield Task(clips, beside, labels, build, config, place.device, scratch, finished)
    if (clips.folder / shards.FRONT_END).is_dir():
        shutil.copytree(clips.folder / shards.FRONT_END, finished / shards.FRONT_END)
    shards.move(finished, output)
    shutil.rmtree(scratch)


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
