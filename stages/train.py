"""Verb: trains a victim: `python -m stages.train VICTIM`."""

import shutil
import sys
from pathlib import Path
from typing import Any

from stages.frame import devices, parameters, shards
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find


def main(name: str) -> None:
    """Writes `models/<study>/<network>/<victim>` by the method, a file of `stages/training`, that the victim names.

    One process trains: a batch dealt out among several would change what batch normalisation sees, and with it the
    result. Victims are independent stages, and train side by side.
    """
    worker = devices.launch()
    if worker.rank == 0:
        _train(name, worker.device)
    worker.wait_for_all()


def _train(name: str, device: str) -> None:
    from torch import nn

    from stages import victim
    from stages.training.task import Task

    values = parameters.bind(_victim, f"victims.{name}", parameters.section(f"victims.{name}"))()
    study, network, method = values["study"], values["network"], values["method"]
    given = parameters.section(f"recipes.{values['recipe']}") | values["training"]
    recipe = find("training", method, "recipe", where=f"victims.{name}.method")
    recipe = parameters.bind(recipe, f"recipes.{values['recipe']} with victims.{name}.training", given)()
    data = Path("data", study)
    clips, beside = (shards.ShardSet(data / values[name]) for name in ("inputs", "beside"))
    clips.table = clips.table[clips.table.problem == ""]
    labels, decides = victim.labels_of(clips.table)
    output = Path("models", study, network, name)
    scratch = shards.scratch_folder(
        output, inputs=[clips.folder, beside.folder], settings=[values, given, device.split(":")[0]]
    )
    finished = scratch / "finished"
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()

    def build(**changes: Any) -> nn.Module:
        given, where = values["parameters"] | changes, f"victims.{name}.parameters"
        return victim.build(network, len(labels), given, where=where, signal=clips.about["signal"])

    config = {"network": network, "parameters": values["parameters"], "labels": labels, "decides": decides}
    config |= clips.about
    task = Task(clips, beside, labels, build, config, device, scratch, finished)
    find("training", method, "train", where=f"victims.{name}.method")(task, recipe)
    if (clips.folder / shards.FRONT_END).is_dir():
        shutil.copytree(clips.folder / shards.FRONT_END, finished / shards.FRONT_END)
    shards.move(finished, output)
    shutil.rmtree(scratch)


def _victim(
    *, study: str, inputs: str, beside: str, network: str, parameters: dict, method: str, recipe: str, training: dict
) -> dict:
    """The checked entry of `victims`."""
    return locals()


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
