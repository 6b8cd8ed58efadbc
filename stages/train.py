"""Verb: trains a victim: `python -m stages.train VICTIM`."""

import sys

from stages.frame import devices, parameters
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
    from stages.training.task import opened

    where = f"victims.{name}"
    values = parameters.bind(_victim, where, parameters.section(where))()
    method = values["method"]
    given = parameters.section(f"recipes.{values['recipe']}") | values["training"]
    recipe = find("training", method, "recipe", where=f"{where}.method")
    recipe = parameters.bind(recipe, f"recipes.{values['recipe']} with {where}.training", given)()
    train = find("training", method, "train", where=f"{where}.method")
    with opened(name, values, where=where, device=device, settings=given) as task:
        train(task, recipe)


def _victim(
    *, study: str, inputs: str, beside: str, network: str, parameters: dict, method: str, recipe: str, training: dict
) -> dict:
    """The checked entry of `victims`."""
    return locals()


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
