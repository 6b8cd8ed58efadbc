"""Verb: what adversarial spectrograms are worth as sound: `python -m stages.invert STUDY`."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.errors import told_in_one_line
from stages.frame.parameters import Count
from stages.frame.pcm import from_pcm16, to_pcm16


def main(study: str) -> None:
    """Writes `data/<study>/inverted`: each kept image of the study's sweeps as 16-bit sound, and what its victim decides on it.

    The sound of an image is found by its front end's `invert`; it is rounded to a file's 16 bits and analysed again. The
    clean image takes the same road as a control.
    """
    worker = devices.launch()
    settings = parameters.bind(_settings, f"inversion.{study}", parameters.section(f"inversion.{study}"))()
    items = {name: item for name, item in parameters.section("sweep_items").items() if item["study"] == study}
    sweeps = {name: shards.ShardSet(Path("data", study, "sweeps", name)) for name in items}
    plan = pd.concat([_kept(sweep).assign(item=name) for name, sweep in sweeps.items()], ignore_index=True)
    opened: dict[str, Any] = {}

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        made = []
        for (item, victim_name), own in rows.groupby(["item", "victim"], sort=False):
            network = items[item]["network"]
            folder = Path("models", study, network, victim_name, "test")
            if str(folder) not in opened:
                opened[str(folder)] = _open(folder, network, worker.device)
            images = [sweeps[item].load(key)[items[item]["inputs"]] for key in own.key]
            sounds, decisions, confidences = _through_sound(images, *opened[str(folder)], settings["iterations"])
            made.append(own.assign(inverted_prediction=decisions, inverted_confidence=confidences, sound=sounds))
        table = pd.concat(made)
        return table.drop(columns="sound"), [{"audio": sound} for sound in table["sound"]]

    models = [Path("models", study, item["network"]) for item in items.values()]
    shards.write_set(
        plan,
        Path("data", study, "inverted"),
        compute,
        inputs=[*(sweep.folder for sweep in sweeps.values()), *models],
        settings=[settings, items, worker.device.split(":")[0]],
        worker=worker,
        description=f"invert {study}",
    )


def _settings(*, iterations: Count) -> dict:
    """The checked entry of `inversion`: iterations of Griffin and Lim's algorithm."""
    return locals()


def _kept(sweep: shards.ShardSet) -> pd.DataFrame:
    """The rows with an image."""
    columns = ["key", "clip_id", "label", "victim", "network", "attack", "epsilon", "clean_prediction"]
    columns += ["clean_confidence", "adversarial_prediction", "confidence", "success"]
    return sweep.table.loc[sweep.table.kept, columns]


def _open(folder: Path, network: str, device: str) -> tuple[Any, Any]:
    """The victim and its front end."""
    import json

    from stages import victim

    made_by = json.loads((folder / "config.json").read_text(encoding="utf-8"))["front_end"]
    front_end = victim.front_end(made_by["feature"], made_by["parameters"], where=str(folder / "config.json"))
    return victim.load(folder, network=network, device=device), front_end.to(device)


def _through_sound(images: list, victim: Any, front_end: Any, iterations: int) -> tuple[list, list[str], list[float]]:
    """The images' sounds (int16), and decisions and confidences on these."""
    import numpy as np
    import torch

    from stages.victim import padded_batch

    device = next(victim.module.parameters()).device
    log_mel = victim.module.unstandardised(torch.from_numpy(np.stack(images)).to(device))
    sounds = [to_pcm16(sound) for sound in front_end.invert(log_mel, iterations=iterations).cpu().numpy()]
    heard = padded_batch([from_pcm16(sound) for sound in sounds], device)
    with torch.no_grad():
        again = victim.module.standardised(front_end(heard["audio"], heard["audio_length"]))
        label, confidence = victim.decode(victim.logits({next(iter(victim.bounds)): again}))
    return sounds, victim.names(label), confidence.tolist()


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
