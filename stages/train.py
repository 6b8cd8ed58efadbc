"""Verb: trains a victim: `python -m stages.train VICTIM`."""

import shutil
import sys
from pathlib import Path

import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.errors import UserError, told_in_one_line


def main(name: str) -> None:
    """Writes `models/<study>/<victim>`: weights, config, history, and the decision on every clip of the corpus.

    One process trains: a batch dealt out among several would change what batch normalisation sees, and with it the
    result. Victims are independent stages, and train side by side.
    """
    worker = devices.launch()
    if worker.rank == 0:
        _train(name, worker.device)
    worker.wait_for_all()


def _train(name: str, device: str) -> None:
    import torch

    from stages import victim
    from stages.training import classification

    values = parameters.section(f"victims.{name}")
    study, network = values["study"], values["network"]
    sample_rate_hz = parameters.section(f"corpora.{study}.sample_rate_hz")
    recipe = parameters.bind(classification.recipe, f"victims.{name}.training", values["training"])()
    data = Path("data", study, "audio")
    clips = shards.ShardSet(data)
    clips.table = clips.table[clips.table.problem == ""]
    labels = sorted(set(clips.table.label))
    _check_splits(clips.table, data)
    torch.manual_seed(recipe.seed)
    module = victim.build(
        network, len(labels), values["parameters"], where=f"victims.{name}.parameters", sample_rate_hz=sample_rate_hz
    )
    output = Path("models", study, name)
    scratch = shards.scratch_folder(output, inputs=[data], settings=[values, sample_rate_hz, device.split(":")[0]])
    history = classification.fit(module, clips, labels, recipe, device=device, scratch=scratch)
    finished = scratch / "finished"
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()
    config = {
        "network": network,
        "parameters": values["parameters"],
        "sample_rate_hz": sample_rate_hz,
        "labels": labels,
        "bounds": {"audio": [-1.0, 1.0]},
    }
    victim.save(finished, module, config)
    pd.DataFrame(history).to_csv(finished / "history.csv", index=False)
    classification.decisions(module, clips, labels, recipe.batch_size, device).to_csv(
        finished / "decisions.csv", index=False
    )
    shards.move(finished, output)
    shutil.rmtree(scratch)


def _check_splits(table: pd.DataFrame, data: Path) -> None:
    for label, own in table.groupby("label"):
        for split in ("train", "validation", "test"):
            if split not in set(own.split):
                raise UserError(
                    data,
                    expected=f"clips of {label!r} in every split",
                    found=f"none in {split}",
                    do="add some, or change corpora.*.validation_share",
                )


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
