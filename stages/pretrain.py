"""Verb: a model that needs no labels, learned here or converted: `python -m stages.pretrain STUDY MODEL`."""

import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import devices, parameters
from stages.frame.errors import UserError, run
from stages.frame.modules import find
from stages.frame.scratch import move, scratch_folder
from stages.learning.work import Work


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """An entry of `pretrained`.

    Args:
        method: the file in `stages/pretraining`.
        root: the folder or file to learn from, or the folder of downloaded models.
        parameters: of the method, in the place of those in the study's entry of `pretraining`, or beside them.
    """

    method: str
    root: str
    parameters: dict[str, Any] = field(default_factory=dict)


def main(study: str, name: str) -> None:
    """Writes `models/<study>/pretrained/<model>` by the method that the study's entry in `pretrained` names.

    One process works, as in train.
    """
    worker = devices.launch()
    if worker.rank == 0:
        _pretrain(study, name, worker.device)
    worker.wait_for_all()


def _pretrain(study: str, name: str, device: str) -> None:
    where = f"{study}.pretrained.{name}"
    entry = parameters.entry(Pretrained, where)
    root = Path(entry.root)
    if not root.exists():
        raise UserError(f"params.yaml: {where}.root", "what to learn from", f"nothing at {root}", "see data/README.md")
    schema = find("pretraining", entry.method, "Recipe", where=f"{where}.method")
    of_method = f"{study}.pretraining.{entry.method}"
    recipe = parameters.bind(schema, of_method, parameters.section(of_method) | entry.parameters)()
    learn = find("pretraining", entry.method, "learn", where=f"{where}.method")
    output = Path("models", study, "pretrained", name)
    settings = [asdict(entry), asdict(recipe), device.split(":")[0]]
    with scratch_folder(output, inputs=[root], settings=settings) as scratch:
        finished = scratch / "finished"
        shutil.rmtree(finished, ignore_errors=True)
        finished.mkdir()
        learn(Work(root, finished, scratch, device), recipe)
        move(finished, output)
    print(f"{study} {name}: {_told(output / 'history.csv')}")


def _told(history: Path) -> str:
    """What learning came to in the end; what was converted has no history."""
    if not history.exists():
        return "converted"
    last = pd.read_csv(history).iloc[-1]
    return ", ".join(f"{name} {value:.4g}" for name, value in last.items())


if __name__ == "__main__":
    run(main)
