"""Verb: plays clips through rooms and sends them through every enhancer: `python -m stages.enhance ITEM`."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import devices, parameters, shards
from stages.frame.clip_table import stable_hash
from stages.frame.errors import told_in_one_line
from stages.frame.parameters import Count, NonNegative, NonNegativeInt
from stages.frame.pcm import from_pcm16, to_pcm16


def main(item: str) -> None:
    """Writes `data/<study>/enhanced/<item>`: the test clips of the item's sets, as they are and as each enhancer leaves them.

    A clip comes in several versions: of mixtures the clean speech and the noisy one, of attacked clips the file and what
    is heard of it when it is played through `plays` rooms, which no attack has seen, with noise of the place. Each row
    is a version before (`enhancer` empty) or after one enhancer, int16; those before hold the `clean` speech too.
    """
    worker = devices.launch()
    where = f"enhancements.{item}"
    values = parameters.bind(_item, where, parameters.section(where))()
    data, models = Path("data", values["study"]), Path("models", values["study"])
    where = f"playback.{values['study']}"
    playback = parameters.bind(_playback, where, parameters.section(where))()
    sets = {name: shards.ShardSet(data / name) for name in values["sets"]}
    speech = shards.ShardSet(data / "audio")
    folders = {name: models / network / name for name, network in values["enhancers"].items()}
    opened: dict[str, Any] = {}

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        if not opened:
            opened.update(_enhancers(folders, values["enhancers"], worker.device))
            opened["rooms"] = _rooms(playback["impulse_responses"], speech.about["signal"], worker.device)
        loaded = [_versions(row, sets[row.set], speech) for row in rows.itertuples()]
        clean, heard = [one for one, _ in loaded], [one for _, one in loaded]
        played = rows.version == "played"
        if played.any():
            places = np.flatnonzero(played)
            made = _played(rows[played], [heard[place] for place in places], opened["rooms"], playback["noise_snr_db"])
            for place, waveform in zip(places, made):
                heard[place] = waveform
        heard = [from_pcm16(to_pcm16(waveform)) for waveform in heard]
        tables = [rows.assign(enhancer="", source=rows.key)]
        arrays = [{"audio": to_pcm16(one), "clean": to_pcm16(other)} for one, other in zip(heard, clean)]
        for name in values["enhancers"]:
            enhanced = _enhanced(opened[name], heard)
            tables.append(rows.assign(enhancer=name, source=rows.key, key=rows.key + f"/{name}"))
            arrays += [{"audio": to_pcm16(waveform)} for waveform in enhanced]
        return pd.concat(tables), arrays

    shards.write_set(
        _plan(sets, values),
        data / "enhanced" / item,
        compute,
        inputs=[
            speech.folder,
            *(one.folder for one in sets.values()),
            *folders.values(),
            playback["impulse_responses"],
        ],
        settings=[values, playback, worker.device.split(":")[0]],
        worker=worker,
        description=f"enhance {item}",
        clips_per_shard=values["batch_size"],
        about=speech.about,
    )


def _item(
    *,
    study: str,
    source: str,
    sets: list[str],
    attacks: list[str] | None,
    mixtures: Count | None,
    enhancers: dict[str, str],
    plays: NonNegativeInt,
    batch_size: Count,
) -> dict:
    """The checked entry of `enhancements`; `enhancers` gives the network of each model, null takes all."""
    return locals()


def _playback(*, impulse_responses: str, noise_snr_db: NonNegative, spoken_phrases: str) -> dict:
    """The checked entry of `playback`."""
    return locals()


def _plan(sets: dict[str, shards.ShardSet], values: dict) -> pd.DataFrame:
    """A row for each version of each chosen test clip of the sets; clips of like length together."""
    plans = []
    for name, one in sets.items():
        table = one.table.drop(columns=["shard", "source"], errors="ignore").assign(set=name)
        of_mixtures = "noise" in table
        if of_mixtures:
            table = table[(table.problem == "") & (table.split == "test")].drop(columns="problem")
            table = table.iloc[table.key.map(stable_hash).argsort()].head(values["mixtures"] or len(table))
        elif values["attacks"] is not None:
            table = table[table.attack.isin(values["attacks"])]
        versions = ["clean", "noisy"] if of_mixtures else ["file", *["played"] * values["plays"]]
        for number, version in enumerate(versions):
            trial = number if version == "played" else 0
            key = name + "/" + table.key + f"/{version}" + (f"-{trial}" if trial else "")
            plans.append(table.assign(member=table.key, version=version, trial=trial, key=key))
    return pd.concat(plans, ignore_index=True).sort_values(["duration_s", "key"], ignore_index=True)


def _versions(row: Any, one: shards.ShardSet, speech: shards.ShardSet) -> tuple[np.ndarray, np.ndarray]:
    """The clean speech of a row, and what is heard of it where it is not played."""
    arrays = one.load(row.member)
    if "clean" in arrays:
        return arrays["clean"], arrays["clean"] if row.version == "clean" else arrays["audio"]
    return speech.load(row.clip_id)["audio"], from_pcm16(arrays["audio"])


def _rooms(folder: str, signal: dict, device: str) -> Any:
    from stages.features.playback import read_responses

    return read_responses(folder, sample_rate_hz=signal["sample_rate_hz"], held_out=True).to(device)


def _played(rows: pd.DataFrame, files: list[np.ndarray], rooms: Any, noise_snr_db: float) -> list[np.ndarray]:
    """What is heard of files in rooms: another one in each trial as far as there are enough."""
    import torch

    from stages.features.playback import played
    from stages.victim import padded_batch

    batch = padded_batch(files, str(rooms.device))
    own = [(stable_hash(member) + trial) % len(rooms) for member, trial in zip(rows.member, rows.trial)]
    noise = [np.random.default_rng(stable_hash(key)).standard_normal(len(file)) for key, file in zip(rows.key, files)]
    noise = padded_batch([one.astype("f4") for one in noise], str(rooms.device))["audio"]
    heard = played(batch["audio"], batch["audio_length"], rooms[torch.tensor(own)], noise, noise_snr_db)
    return [waveform[: len(file)] for waveform, file in zip(heard.cpu().numpy(), files)]


def _enhancers(folders: dict[str, Path], networks: dict[str, str], device: str) -> dict[str, Any]:
    from stages import victim

    return {name: victim.load(folder, network=networks[name], device=device) for name, folder in folders.items()}


def _enhanced(enhancer: Any, waveforms: list[np.ndarray]) -> list[np.ndarray]:
    import torch

    from stages.victim import padded_batch

    with torch.no_grad():
        made = enhancer.module(padded_batch(waveforms, enhancer.device)).cpu().numpy()
    return [waveform[: len(own)] for waveform, own in zip(made, waveforms)]


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
