"""Verb: a study's waveforms to shards of features: `python -m stages.featurise FEATURES`."""

import sys
from pathlib import Path
from typing import Literal

import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.errors import UserError, told_in_one_line


def main(name: str) -> None:
    """Writes `data/<study>/<features>` by the file of `stages/features` that the entry `features.<name>` names.

    Clips without audio (see extract) keep their row, with its problem, and have no features.
    """
    import torch

    from stages import victim
    from stages.features.audio import check_long_enough
    from stages.victim import padded_batch

    worker = devices.launch()
    values = parameters.bind(_entry, f"features.{name}", parameters.section(f"features.{name}"))()
    source = Path("data", values["study"], "audio")
    clips = shards.ShardSet(source)
    given = values["parameters"] | clips.about["signal"]
    front_end = victim.front_end(values["feature"], given, where=f"features.{name}").to(worker.device)

    @torch.no_grad()
    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        audio = {key: clips.load(key)["audio"] for key in rows.key[rows.problem == ""]}
        arrays: list[shards.Arrays] = [{}] * len(rows)
        if audio:
            inputs = padded_batch(list(audio.values()), worker.device)
            if values["longer_clips"] == "error":
                _check_not_too_long(list(audio), front_end, inputs["audio_length"], name)
            check_long_enough(list(audio), inputs["audio_length"].tolist(), front_end.shortest)
            made = front_end(inputs["audio"], inputs["audio_length"]).cpu().numpy()
            frames = front_end.frames_of(inputs["audio_length"]).clamp_max(front_end.frames).tolist()
            own = {key: one if front_end.equally_long else one[:count] for key, one, count in zip(audio, made, frames)}
            arrays = [{name: own[key]} if key in own else {} for key in rows.key]
        return rows, arrays

    about = {"signal": front_end.signal, "bounds": {name: None}}
    shards.write_set(
        clips.table.drop(columns="shard"),
        Path("data", values["study"], name),
        compute,
        inputs=[source],
        settings=[values, worker.device.split(":")[0]],
        worker=worker,
        description=f"featurise {name}",
        about=about | {"front_end": {"feature": values["feature"], "parameters": given}},
    )


def _entry(*, study: str, feature: str, longer_clips: Literal["error", "cut"], parameters: dict) -> dict:
    """The checked entry of `features`."""
    return locals()


def _check_not_too_long(keys: list[str], front_end, lengths, name: str) -> None:
    for key, frames in zip(keys, front_end.frames_of(lengths).tolist()):
        if frames > front_end.frames:
            raise UserError(
                f"clip {key}",
                expected=f"at most {front_end.frames} frames",
                found=f"{frames}",
                do=f"raise features.{name}.parameters.frames, or set features.{name}.longer_clips to cut",
            )


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
