"""Verb: trains a model further, against attacks on a recogniser: `python -m stages.harden ITEM`."""

import json
import sys
from pathlib import Path

from stages.frame import devices, parameters
from stages.frame.errors import UserError, told_in_one_line
from stages.frame.modules import find


def main(name: str) -> None:
    """Writes `models/<study>/<network>/<item>`: the model that the item starts from, after the method's `harden`.

    One process trains, as in the verb train.
    """
    worker = devices.launch()
    if worker.rank == 0:
        _harden(name, worker.device)
    worker.wait_for_all()


def _harden(name: str, device: str) -> None:
    from stages import victim
    from stages.training.task import opened

    where = f"hardening.{name}"
    values = parameters.bind(_item, where, parameters.section(where))()
    models = Path("models", values["study"])
    start = models / values["network"] / values["starts_from"]
    recogniser = models / values["recogniser_network"] / values["recogniser"]
    if not (start / "config.json").is_file():
        raise UserError(start, expected="a trained model", found="no config.json", do="run dvc repro")
    values["parameters"] = json.loads((start / "config.json").read_text(encoding="utf-8"))["parameters"]
    given = parameters.section(f"recipes.{values['recipe']}")
    recipe = find("training", values["method"], "recipe", where=f"{where}.method")
    recipe = parameters.bind(recipe, f"recipes.{values['recipe']}", given)()
    harden = find("training", values["method"], "harden", where=f"{where}.method")
    attacked = victim.load(recogniser, network=values["recogniser_network"], device=device)
    with opened(name, values, where=where, device=device, settings=given, models=(start, recogniser)) as task:
        harden(task, recipe, start, attacked)


def _item(
    *,
    study: str,
    inputs: str,
    beside: str,
    network: str,
    starts_from: str,
    recogniser: str,
    recogniser_network: str,
    method: str,
    recipe: str,
) -> dict:
    """The checked entry of `hardening`."""
    return locals()


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
