"""Verb: a model of speech or text that needs no labels, learned here or converted: `python -m stages.pretrain MODEL`."""

import shutil
import sys
from pathlib import Path

from stages.frame import devices, parameters, shards
from stages.frame.errors import UserError, told_in_one_line
from stages.frame.modules import find


def main(name: str) -> None:
    """Writes `models/<study>/pretrained/<model>` by the file of `stages/pretraining` that `pretrained.<model>` names.

    One process works, as in train.
    """
    worker = devices.launch()
    if worker.rank == 0:
        _pretrain(name, worker.device)
    worker.wait_for_all()


def _pretrain(name: str, device: str) -> None:
    where = f"pretrained.{name}"
    values = parameters.bind(_entry, where, parameters.section(where))()
    method, root = values["method"], Path(values["root"])
    if not root.exists():
        raise UserError(
            f"params.yaml: {where}.root",
            expected="what to learn from",
            found=f"nothing at {root}",
            do="see data/README.md",
        )
    learn = find("pretraining", method, "learn", where=f"{where}.method")
    given = parameters.section(f"pretraining.{method}")
    learn = parameters.bind(learn, f"pretraining.{method}", given)
    output = Path("models", values["study"], "pretrained", name)
    scratch = shards.scratch_folder(output, inputs=[root], settings=[values, given, device.split(":")[0]])
    finished = scratch / "finished"
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()
    learn(root, finished, scratch, device)
    shards.move(finished, output)
    shutil.rmtree(scratch)


def _entry(*, study: str, method: str, root: str) -> dict:
    """The checked entry of `pretrained`."""
    return locals()


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
