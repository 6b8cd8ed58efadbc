"""Room of scoring: the versions in which the clips of a set are scored, and how each sounds before it is treated."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from stages.frame.clip_table import by_turns, stable_hash
from stages.frame.pcm import from_pcm16, to_pcm16
from stages.frame.shards import ShardSet

Play = Callable[..., list[np.ndarray]]


def planned(
    sets: dict[str, ShardSet],
    *,
    attacks: list[str] | None,
    mixtures: int | None,
    plays: int,
    treatments: Iterable[str],
) -> pd.DataFrame:
    """A row for each version of each chosen clip under each treatment, those of one model and of like length together.

    A mixture comes `clean` and `noisy`; what an attack made as the `file` holds it, and `played` so many times, each a
    `trial`. `source` is the row's key in its `set`; `model` the folder of what was attacked, empty for mixtures.

    Args:
        sets: by name; an adversarial set, or one of mixtures, which has a column `noise`.
        attacks: those whose clips are taken, None all.
        mixtures: how many of the test split are taken, of every speaker in turn (`clip_table.by_turns`); None all.
        plays: how often attacked clips are played.
        treatments: by name.
    """
    plans = []
    for name, one in sets.items():
        of_mixtures = "noise" in one.table
        rows = _mixed(one.table, mixtures) if of_mixtures else _attacked(one.table, attacks)
        rows = rows.rename(columns={"key": "source"}).assign(set=name)
        versions = ["clean", "noisy"] if of_mixtures else ["file", *["played"] * plays]
        for number, version in enumerate(versions):
            trial = number if version == "played" else 0
            key = f"{name}/" + rows.source + f"/{version}" + (f"-{trial}" if trial else "")
            plans.append(rows.assign(key=key, version=version, trial=trial))
    plan = pd.concat(plans, ignore_index=True).sort_values(["model", "duration_s", "key"], ignore_index=True)
    return pd.concat([plan.assign(key=plan.key + f"/{one}", treatment=one) for one in treatments], ignore_index=True)


def _mixed(table: pd.DataFrame, count: int | None) -> pd.DataFrame:
    table = table[(table.problem == "") & (table.split == "test")].drop(columns=["shard", "problem"])
    table = by_turns(table, "key").head(count)
    # The level that a mixture was made at is not the SNR that may be measured.
    return table.rename(columns={"snr_db": "mixed_at_db"}).assign(model="")


def _attacked(table: pd.DataFrame, attacks: list[str] | None) -> pd.DataFrame:
    chosen = table.kept if attacks is None else table.kept & table.attack.isin(attacks)
    table = table[chosen].drop(columns=["shard", "kept"])
    member = "/" + table.member if "member" in table else ""
    return table.rename(columns={"snr_db": "attacked_at_db"}).assign(model=table.victim + member)


def files(rows: pd.DataFrame, sets: dict[str, ShardSet], play: Play | None) -> list[np.ndarray]:
    """What each version sounds like in a file of 16 bits, float32; images of sets without sound are given as they are.

    `play(waveforms, seeds=...)` plays clips in rooms, see `treatments.rooms`.
    """
    made = [_file(row, sets[row.set]) for row in rows.itertuples()]
    places = np.flatnonzero(rows.version == "played")
    if len(places):
        played = rows.iloc[places]
        # Trials one apart are in different rooms.
        seeds = [stable_hash(source) + trial for source, trial in zip(played.source, played.trial)]
        for place, waveform in zip(places, play([made[place] for place in places], seeds=seeds)):
            made[place] = in_16_bits(waveform)
    return made


def digest(sets: dict[str, ShardSet], name: str, key: str) -> str:
    """A hash of what the set of this name holds of a row, which `files` and `clean` are made of."""
    total = hashlib.sha256()
    for array_name, array in sets[name].load(key).items():
        total.update(f"{array_name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return total.hexdigest()


def clean(row: Any, sets: dict[str, ShardSet], clips: ShardSet) -> np.ndarray:
    """The clean speech of a mixture or of an attacked clip, in 16 bits."""
    arrays = sets[row.set].load(row.source)
    return in_16_bits(arrays["clean"] if "clean" in arrays else clips.load(row.clip_id)["audio"])


def with_quality(
    table: pd.DataFrame,
    sounds: dict[str, np.ndarray],
    quality: Callable[[list[np.ndarray], list[np.ndarray]], pd.DataFrame],
    clean_of: Callable[[Any], np.ndarray],
) -> pd.DataFrame:
    """The table with the columns of `quality`, empty for what is played, clean or not attacked.

    A room is no fault of a treatment, so what was played in one is not measured.

    Args:
        table: with columns `source`, `version`, `sound`, and of attacked clips `attack`.
        sounds: what was heard, float32, by `sound`.
        quality: a row for each pair of clean and heard speech.
        clean_of: the clean speech of a row, see `clean`.
    """
    measured = table.version.isin(["noisy", "file"])
    if "attack" in table:
        measured &= table.attack != "none"
    rows = table[measured].drop_duplicates("sound")
    made = quality([clean_of(row) for row in rows.itertuples()], [sounds[key] for key in rows.sound])
    return table.merge(made.assign(sound=rows.sound.to_numpy()), on="sound", how="left")


def in_16_bits(waveform: np.ndarray) -> np.ndarray:
    """A waveform in [-1, 1), float32 or int16, as a file of 16 bits holds it: float32."""
    return from_pcm16(waveform if waveform.dtype == np.int16 else to_pcm16(waveform))


def _file(row: Any, one: ShardSet) -> np.ndarray:
    arrays = one.load(row.source)
    if "audio" not in arrays:
        (image,) = arrays.values()
        return image
    return in_16_bits(arrays["clean" if row.version == "clean" else "audio"])
