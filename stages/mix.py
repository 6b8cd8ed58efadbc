"""Verb: mixes a study's speech with its noises: `python -m stages.mix STUDY SET`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.features.mixture import mixed, without_silent_ends
from stages.frame import clip_table, devices, parameters, shards
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError, run
from stages.frame.parameters import Count


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """An entry of `<study>.mixtures`: signal-to-noise ratios in dB, and how many mixtures of each clip of a split."""

    levels_db: list[float]
    mixtures_per_clip: dict[str, Count]


def main(study: str, name: str) -> None:
    """Writes `data/<study>/<set>` of the set `audio`: of each utterance as many mixtures as its split says.

    The arrays of each are `audio`, and `clean`, its speech alone. A mixture that can't be made, since its speech could
    not be read or one of its two is silent, keeps its row, has no arrays, and says so in the column `problem`. Noise
    that could not be read is left out.
    """
    worker = devices.launch()
    where = f"{study}.mixtures.{name}"
    mixture = parameters.entry(Mixture, where)
    source, output = Path("data", study, "audio"), Path("data", study, name)
    # Two of them, as each keeps the shard open that it read last.
    speech, noises = shards.ShardSet(source), shards.ShardSet(source)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        made = [_mixture(row, speech, noises) for row in rows.itertuples()]
        gains, problems, arrays = zip(*made)
        return rows.assign(gain_db=gains, problem=problems), list(arrays)

    shards.write_set(
        planned(speech.table, mixture, where),
        output,
        compute,
        inputs=[source],
        settings=mixture,
        worker=worker,
        description=f"mix {study} {name}",
        about=speech.about,
    )
    if worker.rank == 0:
        print(f"{study} {name}: {clip_table.told(clip_table.read(output / 'clips.csv'), what='mixtures')}")


def planned(clips: pd.DataFrame, mixture: Mixture, where: str) -> pd.DataFrame:
    """A row for each mixture: which utterance, kind of noise, recording of that kind and level in dB.

    Clips without a text are noise, and their `speaker` is the kind. The mixtures of a split, utterances in the order of
    a hash of their ids, take levels and kinds in turn: so the numbers of mixtures of two levels, of two kinds, and of
    two pairs of both differ by one at most; no level comes twice in a clip before each has come once. Which recording
    of the kind it is, a hash of the mixture's key decides. Validation has train's noise where it has none of its own.

    Args:
        clips: the table of the study's set `audio`.
        mixture: the levels, and how many mixtures.
        where: the section of params.yaml, for errors.

    Raises:
        UserError: no level, splits missing or unknown in `mixtures_per_clip`, no speech, no noise for a split's speech.
    """
    levels_db, mixtures_per_clip = mixture.levels_db, mixture.mixtures_per_clip
    if not levels_db:
        raise UserError(
            f"params.yaml: {where}.levels_db", "at least one level", "none", "add one, see params.yaml in git"
        )
    if set(mixtures_per_clip) != set(clip_table.SPLITS):
        raise UserError(
            f"params.yaml: {where}.mixtures_per_clip",
            ", ".join(clip_table.SPLITS),
            ", ".join(mixtures_per_clip) or "none",
            "name each split once",
        )
    speech = clips[clips.text != ""]
    if speech.empty:
        raise UserError(where, "clips with a text", "none", "see the clip table of the study")
    noise = clips[(clips.text == "") & (clips.problem == "")]
    recordings = {split: own.groupby("speaker").clip_id.apply(list).to_dict() for split, own in noise.groupby("split")}
    recordings.setdefault("validation", recordings.get("train", {}))
    parts = []
    for split, own in speech.groupby("split"):
        if not recordings.get(split):
            found = f"none in {split}"
            raise UserError(where, "noise in each split with speech", found, "add some to the corpus")
        parts.append(_dealt(own, recordings[split], levels_db, mixtures_per_clip[split]))
    return pd.concat(parts).sort_values("key", ignore_index=True)


def _dealt(speech: pd.DataFrame, recordings: dict[str, list[str]], levels_db: list[float], count: int) -> pd.DataFrame:
    """The rows of one split, `count` for each of its utterances."""
    # What can't be read comes last, so that it makes no hole in the even numbers of what can.
    order = sorted(speech.index, key=lambda index: (speech.problem[index] != "", stable_hash(speech.clip_id[index])))
    rows = speech.loc[order, ["clip_id", "label", "text", "speaker", "split", "duration_s", "problem"]]
    rows = rows.loc[rows.index.repeat(count)].reset_index(drop=True)
    turn = rows.index.to_numpy()
    kinds = sorted(recordings)
    # Levels and kinds in turn would only ever meet in the same pairs, if their numbers have a common divisor: so the
    # kinds are moved on by one each time that all pairs have been there.
    kind = (turn + turn // math.lcm(len(levels_db), len(kinds))) % len(kinds)
    rows["key"] = [f"{clip}/{number}" for clip, number in zip(rows.clip_id, turn % count)]
    rows["noise"] = [kinds[number] for number in kind]
    rows["noise_clip_id"] = [_chosen(recordings[name], f"{key}/recording") for key, name in zip(rows.key, rows.noise)]
    rows["snr_db"] = [float(levels_db[number]) for number in turn % len(levels_db)]
    return rows


def _chosen(choices: Any, name: str) -> Any:
    """One of the choices, by a hash of the name."""
    return choices[stable_hash(name) % len(choices)]


def _mixture(row: Any, speech: shards.ShardSet, noises: shards.ShardSet) -> tuple[float, str, shards.Arrays]:
    """The gain in dB, the problem and the arrays of one row of the plan."""
    if row.problem:
        return 0.0, row.problem, {}
    clean = speech.load(row.clip_id)["audio"]
    noise = without_silent_ends(noises.load(row.noise_clip_id)["audio"])
    # A recording that is long enough does not go round.
    starts = range(len(noise) - len(clean) + 1) if len(noise) >= len(clean) else range(len(noise))
    try:
        noisy, clean, gain_db = mixed(clean, noise, snr_db=row.snr_db, start=_chosen(starts, f"{row.key}/start"))
    except UserError as error:
        return 0.0, str(error), {}
    return gain_db, "", {"audio": noisy, "clean": clean}


if __name__ == "__main__":
    run(main)
