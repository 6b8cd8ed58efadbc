"""Room of training: what every training method is given."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from stages import victim
from stages.frame import shards


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


@contextmanager
def opened(
    name: str, values: dict[str, Any], *, where: str, device: str, settings: Any, models: tuple[Path, ...] = ()
) -> Iterator[Task]:
    """The task of training the model `name`; what was written into `finished` is moved to its place in the end.

    Args:
        name: of the model, `models/<study>/<network>/<name>`.
        values: `study`, `network`, its `parameters`, and of the study's sets `inputs` and `beside`.
        where: the section of params.yaml that says so.
        device: to train on.
        settings: all else that the result depends on.
        models: folders of other models that it depends on.
    """
    data = Path("data", values["study"])
    clips, beside = (shards.ShardSet(data / values[name]) for name in ("inputs", "beside"))
    clips.table = clips.table[clips.table.problem == ""]
    labels, decides = victim.labels_of(clips.table)
    output = Path("models", values["study"], values["network"], name)
    scratch = shards.scratch_folder(
        output, inputs=[clips.folder, beside.folder, *models], settings=[values, settings, device.split(":")[0]]
    )
    finished = scratch / "finished"
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()

    def build(**changes: Any) -> nn.Module:
        given, signal = values["parameters"] | changes, clips.about["signal"]
        return victim.build(values["network"], len(labels), given, where=f"{where}.parameters", signal=signal)

    config = {"network": values["network"], "parameters": values["parameters"], "labels": labels, "decides": decides}
    yield Task(clips, beside, labels, build, config | clips.about, device, scratch, finished)
    if (clips.folder / shards.FRONT_END).is_dir():
        shutil.copytree(clips.folder / shards.FRONT_END, finished / shards.FRONT_END)
    shards.move(finished, output)
    shutil.rmtree(scratch)
