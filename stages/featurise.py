"""Verb: a study's waveforms or texts to shards of features: `python -m stages.featurise STUDY SET`."""

import itertools
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from stages.frame import clip_table, devices, parameters, shards
from stages.frame.errors import UserError, run
from stages.frame.modules import find
from stages.frame.parameters import Count, Name


@dataclass(frozen=True, kw_only=True)
class Features:
    """An entry of `<study>.features`.

    `feature` is the file in stages/features, `model` the pretrained model that it needs, if any, `clips` the set that
    it is made of. `longer_clips` says what becomes of clips with more frames than a feature has: they are cut, or an
    error.
    """

    feature: str
    parameters: dict[str, Any]
    model: Name | None = None
    clips: Name = "audio"
    longer_clips: Literal["error", "cut"] = "error"
    batch_size: Count = 64


def main(study: str, name: str) -> None:
    """Writes `data/<study>/<set>` of another set, as the entry `<study>.features.<set>` says.

    What a pretrained model makes carries that model as its front end, so that whoever is trained on the set can be
    attacked through it. Clips that could not be read keep their row, with its problem, and have no features.
    """
    worker = devices.launch()
    where = f"{study}.features.{name}"
    entry = parameters.entry(Features, where)
    source, output = Path("data", study, entry.clips), Path("data", study, name)
    model = entry.model and Path("models", study, "pretrained", entry.model)
    clips = shards.ShardSet(source)
    given = entry.parameters if model else entry.parameters | clips.about["signal"]
    front_end = _front_end(entry.feature, given, model, where, worker.device)
    if model is None:
        make = partial(_computed, too_long_in=where if entry.longer_clips == "error" else None)
    else:
        make = _heard if front_end.reads == "audio" else _read

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        readable = rows[rows.problem == ""]
        arrays = make(front_end, clips, readable) if len(readable) else []
        made = dict(zip(readable.key, arrays))
        return rows, [_named(made.get(key), name) for key in rows.key]

    shards.write_set(
        clips.table.drop(columns="shard"),
        output,
        compute,
        inputs=[source, *([model] if model else [])],
        settings=[entry, worker.device.split(":")[0]],
        worker=worker,
        description=f"featurise {study} {name}",
        clips_per_shard=entry.batch_size,
        about={
            "signal": front_end.signal,
            "front_end": {"feature": entry.feature, "parameters": given},
            # What whoever is trained on the set is attacked on: the sound, through the model, or else the features.
            **(_files(clips) if make is _heard else {"bounds": {name: None}}),
        },
        front_end=model,
    )
    if worker.rank == 0:
        print(f"{study} {name}: features of {clip_table.told(clip_table.read(output / 'clips.csv'))}")


def _front_end(feature: str, values: dict[str, Any], model: Path | None, where: str, device: str) -> Any:
    """What `stages/features/<feature>.py` builds, or loads from the folder of a pretrained model."""
    make = find("features", feature, "load" if model else "build", where=f"{where}.feature")
    make = parameters.bind(make, f"{where}.parameters", values)
    return make(model, device) if model else make().to(device)


def _files(clips: shards.ShardSet) -> dict[str, Any]:
    """What a set says of its arrays as files."""
    return {key: clips.about[key] for key in ("bounds", "quantum") if key in clips.about}


def _named(made: np.ndarray | shards.Arrays | None, name: str) -> shards.Arrays:
    """The arrays of a row: a feature goes by the set's name, what a model makes of a text has names of its own."""
    if made is None:
        return {}
    return made if isinstance(made, dict) else {name: made}


def _computed(
    front_end: Any, clips: shards.ShardSet, rows: pd.DataFrame, *, too_long_in: str | None
) -> list[np.ndarray]:
    """What a front end without a model makes of waveforms, each with its own frames unless all have equally many.

    Clips with too many frames are cut, or an error, which names the section `too_long_in`.
    """
    import torch

    inputs = _batch(front_end, clips, rows)
    frames = front_end.frames_of(inputs["audio_length"]).tolist()
    if too_long_in:
        _check_not_too_long(list(rows.key), frames, front_end.frames, too_long_in)
    with torch.inference_mode():
        made = front_end(inputs["audio"], inputs["audio_length"]).cpu().numpy()
    if front_end.equally_long:
        return list(made)
    return [own[: min(count, front_end.frames)] for own, count in zip(made, frames)]


def _heard(front_end: Any, clips: shards.ShardSet, rows: pd.DataFrame) -> list[np.ndarray]:
    """What a pretrained model makes of waveforms, each with its own frames."""
    import torch

    inputs = _batch(front_end, clips, rows)
    with torch.inference_mode():
        features, frames = front_end(inputs["audio"], inputs["audio_length"])
    return [own[:count] for own, count in zip(features.cpu().numpy(), frames.tolist())]


def _read(front_end: Any, clips: shards.ShardSet, rows: pd.DataFrame) -> list[shards.Arrays]:
    """What a pretrained model makes of texts."""
    return front_end(list(rows.text))


def _batch(front_end: Any, clips: shards.ShardSet, rows: pd.DataFrame) -> dict[str, Any]:
    """The waveforms of these rows, each long enough for the front end, where that is."""
    from stages.features.audio import check_long_enough
    from stages.victim import padded_batch

    device = next(itertools.chain(front_end.parameters(), front_end.buffers())).device
    inputs = padded_batch([clips.load(key)["audio"] for key in rows.key], device)
    check_long_enough(list(rows.key), inputs["audio_length"].tolist(), front_end.shortest)
    return inputs


def _check_not_too_long(keys: list[str], frames: list[int], longest: int, where: str) -> None:
    for key, count in zip(keys, frames):
        if count > longest:
            raise UserError(
                f"clip {key}",
                f"at most {longest} frames",
                f"{count}",
                f"raise {where}.parameters.frames, or set {where}.longer_clips to cut",
            )


if __name__ == "__main__":
    run(main)
