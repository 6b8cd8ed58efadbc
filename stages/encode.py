"""Verb: a study's waveforms or texts to what a pretrained model makes of them: `python -m stages.encode ENCODING`."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find
from stages.frame.parameters import Count


def main(name: str) -> None:
    """Writes `data/<study>/<encoding>` by the file of `stages/features` that the entry `encodings.<encoding>` names.

    The set carries the model as its front end, so that whoever is trained on it can be attacked through it. Clips
    without audio (see extract) keep their row, with its problem, and have no features.
    """
    worker = devices.launch()
    where = f"encodings.{name}"
    values = parameters.bind(_entry, where, parameters.section(where))()
    study, feature, given = values["study"], values["feature"], values["parameters"]
    model, source = Path("models", study, "pretrained", values["model"]), Path("data", study, "audio")
    clips = shards.ShardSet(source)
    load = find("features", feature, "load", where=f"{where}.feature")
    front_end = parameters.bind(load, f"{where}.parameters", given)(model, worker.device)
    about = {
        "signal": front_end.signal,
        "bounds": clips.about["bounds"] if front_end.reads == "audio" else {name: None},
        "front_end": {"feature": feature, "parameters": given},
    }

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        readable = rows[rows.problem == ""]
        make = _of_audio if front_end.reads == "audio" else _of_text
        made = dict(zip(readable.key, make(front_end, clips, readable, name))) if len(readable) else {}
        return rows, [made.get(key, {}) for key in rows.key]

    shards.write_set(
        clips.table.drop(columns="shard"),
        Path("data", study, name),
        compute,
        inputs=[source, model],
        settings=[values, worker.device.split(":")[0]],
        worker=worker,
        description=f"encode {name}",
        clips_per_shard=values["batch_size"],
        about=about,
        front_end=model,
    )


def _entry(*, study: str, model: str, feature: str, batch_size: Count, parameters: dict) -> dict[str, Any]:
    """The checked entry of `encodings`."""
    return locals()


def _of_audio(front_end: Any, clips: shards.ShardSet, rows: pd.DataFrame, name: str) -> list[shards.Arrays]:
    import torch

    from stages.features.audio import check_long_enough
    from stages.victim import padded_batch

    device = next(front_end.parameters()).device
    inputs = padded_batch([clips.load(key)["audio"] for key in rows.key], device)
    check_long_enough(list(rows.key), inputs["audio_length"].tolist(), front_end.shortest)
    with torch.inference_mode():
        features, frames = front_end(inputs["audio"], inputs["audio_length"])
    return [{name: own[:count]} for own, count in zip(features.cpu().numpy(), frames.tolist())]


def _of_text(front_end: Any, clips: shards.ShardSet, rows: pd.DataFrame, name: str) -> list[shards.Arrays]:
    return front_end(list(rows.text))


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
