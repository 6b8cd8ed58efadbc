"""Room of scoring: what becomes of a batch of a plan, and by what it is known again."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import code, finite, shards
from stages.frame.clip_table import stable_hash
from stages.frame.pcm import from_pcm16, to_pcm16
from stages.frame.treatment import Treatment
from stages.scoring import hearing, versions
from stages.scoring.opinions import opinions

Decide = Callable[[list[np.ndarray]], tuple[list[str], list[float]]]
# Found by name, so that only stages that play or measure depend on them.
PLAYING, MEASURING = "stages/treatments/rooms.py", "stages/measures/speech_quality.py"


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """All that batches of rows, each of one treatment, set, model and attack, are scored with.

    Attributes:
        models: the folder of the study's models.
        heard_by: the victims that decide; empty leaves each clip to the one that was attacked.
        sets: what is scored, by name.
        clips: the clean speech beside which quality is measured by `measure`, None where it is not.
        opinion_of: the folder of the network that is asked what listeners would say, None where it is not.
        treatments, ways: by name, as params.yaml has them, and as functions.
        playback, play: how clips are played, empty and None where they are not.
        sample_rate_hz: of all clips.
        of_images: whether the sets have images in sound's place.
        device: where it is computed.
    """

    models: Path
    heard_by: list[str]
    sets: dict[str, shards.ShardSet]
    clips: shards.ShardSet | None
    measure: Callable[..., pd.DataFrame] | None
    opinion_of: Path | None
    treatments: dict[str, Treatment]
    ways: dict[str, hearing.Way]
    playback: dict[str, Any]
    play: hearing.Way | None
    sample_rate_hz: int
    of_images: bool
    device: str


def scored(task: Task, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
    """The table and the arrays of one batch."""
    first = rows.iloc[0]
    way = partial(task.ways[first.treatment], **({"model": str(task.models / first.model)} if task.of_images else {}))
    decide = {name: partial(hearing.decide, task.models / one, task.device) for name, one in _hearers(task, first)}
    table, arrays = treated(rows.drop(columns="model"), versions.files(rows, task.sets, task.play), way, decide)
    sounds = {key: from_pcm16(one["audio"]) for key, one in zip(table.key, arrays) if one}
    if task.measure is not None:
        quality = partial(task.measure, sample_rate_hz=task.sample_rate_hz, processes=None)
        clean = partial(versions.clean, sets=task.sets, clips=task.clips)
        table = versions.with_quality(table, sounds, quality, clean)
    if task.opinion_of is not None:
        told = opinions(list(sounds.values()), model=task.opinion_of, device=task.device)
        table = table.merge(told.assign(sound=list(sounds)), on="sound", how="left")
    return table, arrays


def made_of(
    task: Task, digest: Callable[..., str], digest_of_clip: Callable[[str, str], str], rows: pd.DataFrame
) -> list[Any]:
    """All that a batch is made of besides its rows, of no other treatment and no other clip; see `shards.write_set`.

    `digest` is `content.of_files`, and `digest_of_clip` is `versions.digest` of the sets; both may know what they are
    asked for already, as each clip is in a batch for each treatment.
    """
    from stages import victim

    first = rows.iloc[0]
    given = task.treatments[first.treatment]
    own = ["stages/scoring/batches.py", f"stages/treatments/{given.treatment}.py"]
    own += [*([PLAYING] if task.play else []), *([MEASURING] if task.measure else [])]
    if task.of_images:
        own.append(f"stages/features/{victim.config_of(task.models / first.model)['front_end']['feature']}.py")
    asked = {*(one for _, one in _hearers(task, first)), first.model, given.model} - {"", None}
    places = [task.playback["impulse_responses"]] if task.play else []
    return [
        *(given, task.playback, task.sample_rate_hz, task.device.split(":")[0]),
        digest(*victim.made_by(task.opinion_of)) if task.opinion_of else None,
        *(digest(*code.whole(*own)), digest(*given.files), digest(*places)),
        digest(task.clips.folder) if task.clips else None,
        {one: digest(*victim.made_by(task.models / one)) for one in asked},
        [digest_of_clip(row.set, row.source) for row in rows.itertuples()],
    ]


def treated(
    rows: pd.DataFrame, files: list[np.ndarray], way: hearing.Way, decide: dict[str, Decide]
) -> tuple[pd.DataFrame, list[shards.Arrays]]:
    """Rows of one treatment for each that decides, and the arrays: what was heard is kept with the first of them.

    Raises:
        UserError: the treatment gives no numbers.
    """
    name = rows.treatment.iloc[0]
    seeds = [stable_hash(f"{source}/{name}") + trial for source, trial in zip(rows.source, rows.trial)]
    waveforms = way(files, seeds=seeds)
    for source, waveform in zip(rows.source, waveforms):
        finite.check(waveform, f"the treatment {name} of {source}", "samples", do="check its model and parameters")
    sounds = [to_pcm16(waveform) for waveform in waveforms]
    heard = [from_pcm16(sound) for sound in sounds]
    keys = {one: rows.key + f"/{one}" for one in decide}
    made = []
    for one in decide:
        decisions, confidences = decide[one](heard)
        table = rows.assign(key=keys[one], sound=next(iter(keys.values())), heard_by=one)
        table = table.assign(decision=decisions, decision_confidence=confidences)
        made.append(table.assign(outcome=_outcomes(table)))
    arrays = [{"audio": sound} for sound in sounds] + [{}] * (len(rows) * (len(decide) - 1))
    return pd.concat(made, ignore_index=True), arrays


def _hearers(task: Task, row: Any) -> list[tuple[str, str]]:
    """The names of those that decide on a row, and of their models."""
    return [(one, one) for one in task.heard_by] or [(row.victim, row.model)]


def _outcomes(rows: pd.DataFrame) -> pd.Series:
    """`GT`, `Adv` or `Diff` of classes, empty for texts."""
    attacked = rows.get("adversarial_prediction", pd.Series("", rows.index))
    missed = (rows.decision == attacked).map({True: "Adv", False: "Diff"})
    return missed.mask(rows.decision == rows.label, "GT").mask(rows.label == "", "")
