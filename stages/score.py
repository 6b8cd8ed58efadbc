"""Verb: treats sets of clips, and asks who hears them: `python -m stages.score STUDY ENTRY [SET]`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from stages.frame import clip_table, devices, finite, parameters, shards
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError, run
from stages.frame.modules import find
from stages.frame.parameters import Count, Name, NonNegativeInt
from stages.frame.pcm import from_pcm16, to_pcm16
from stages.frame.treatment import Treatment
from stages.scoring import hearing, versions

Decide = Callable[[list[np.ndarray]], tuple[list[str], list[float]]]
# What is heard is kept as files hold it.
FILES = {"bounds": {"audio": [-1.0, 1 - 2**-15]}, "quantum": {"audio": 2**-15}}


@dataclass(frozen=True, kw_only=True)
class Scored:
    """An entry of `<study>.scored`.

    Attributes:
        treatments: entries of `<study>.treatments`, None all.
        batch_size: clips that are treated together.
        sets: folders of `data/<study>`, adversarial sets or sets of mixtures; None where the call names one.
        heard_by: the victims that decide; None leaves each clip to the one that was attacked.
        attacks: those whose clips are scored, None all.
        mixtures: how many are scored, None all of the test split.
        plays: in so many rooms, which no attacker has seen, attacked clips are played before they are treated.
        quality: whether what is heard is measured against the clean speech.
    """

    batch_size: Count
    treatments: list[str] | None = None
    sets: list[Name] | None = None
    heard_by: list[Name] | None = None
    attacks: list[str] | None = None
    mixtures: Count | None = None
    plays: NonNegativeInt = 0
    quality: bool = False


def main(study: str, name: str, only: str | None = None) -> None:
    """Writes `data/<study>/scores/<name>`, or of the adversarial set `only` alone `data/<study>/scores/<only>`.

    A row for each clip as it is or played, each treatment and each victim that decides. `outcome` is `GT` where the
    decision is the clip's true label, `Adv` where it is what the attack had made of it, `Diff` otherwise, and empty
    where decisions are texts. `sound` is the key of what was heard, int16.

    Raises:
        UserError: an entry does not fit, or something that it names is missing.
    """
    from stages import victim

    worker = devices.launch()
    where = f"{study}.scored.{name}"
    entry = parameters.entry(Scored, where)
    data, models = Path("data", study), Path("models", study)
    names = entry.sets if only is None else [f"adversarial/{only}"]
    if not names:
        raise UserError(f"params.yaml: {where}.sets", "sets, or one in the call", "none", "name them")
    sets = {one: shards.ShardSet(data / one) for one in names}
    plan = versions.planned(sets, attacks=entry.attacks, mixtures=entry.mixtures, plays=entry.plays)
    if entry.heard_by is None and (plan.model == "").any():
        raise UserError(f"params.yaml: {where}.heard_by", "who decides on mixtures", "none", "name a victim")
    chosen = entry.treatments or parameters.section(f"{study}.treatments")
    treatments = {one: parameters.entry(Treatment, f"{study}.treatments.{one}") for one in chosen}
    playback = parameters.section(f"{study}.playback") if entry.plays else {}
    rate_hz, of_images = _signal(sets[names[0]].about)
    told = {"sample_rate_hz": rate_hz, "device": worker.device}
    treat = {one: hearing.treated(study, one, it, of_images=of_images, **told) for one, it in treatments.items()}
    play = hearing.played(study, playback, **told) if playback else None
    # What only some entries need is found by name, so that the others do not depend on it.
    measure = find("measures", "speech_quality", "quality", where=f"{where}.quality") if entry.quality else None
    clips = shards.ShardSet(data / "audio") if entry.quality else None
    deciding = {models / one for one in entry.heard_by or plan.model}
    opened = sorted(deciding | {models / one.model for one in treatments.values() if one.model is not None})
    for folder in opened:
        victim.import_network(folder)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        made = []
        for model, own in rows.groupby("model", sort=False):
            heard_by = {one: models / one for one in entry.heard_by or ()} or {own.victim.iloc[0]: models / model}
            decide = {one: partial(hearing.decide, folder, worker.device) for one, folder in heard_by.items()}
            whose = {"model": str(models / model)} if of_images else {}
            way = {one: partial(bound, **whose) for one, bound in treat.items()}
            made += _scored(own, versions.files(own, sets, play), way, decide)
        table = pd.concat([one for one, _ in made], ignore_index=True).drop(columns="model")
        arrays = [one for _, several in made for one in several]
        if measure is not None:
            sounds = {key: from_pcm16(one["audio"]) for key, one in zip(table.key, arrays) if one}
            measured = partial(measure, sample_rate_hz=rate_hz, processes=None)
            table = versions.with_quality(table, sounds, measured, partial(versions.clean, sets=sets, clips=clips))
        return table, arrays

    output = data / "scores" / (only or name)
    shards.write_set(
        plan,
        output,
        compute,
        inputs=[
            *(one.folder for one in (*sets.values(), clips) if one is not None),
            *opened,
            *(file for one in treatments.values() for file in one.files),
            *([playback["impulse_responses"]] if playback else []),
        ],
        settings=[entry, treatments, playback, worker.device.split(":")[0]],
        worker=worker,
        description=f"score {study} {only or name}",
        clips_per_shard=entry.batch_size,
        about=FILES | {"signal": {"sample_rate_hz": rate_hz}},
    )
    if worker.rank == 0:
        print(_told(clip_table.read(output / "clips.csv")))


def _signal(about: dict) -> tuple[int, bool]:
    """The sampling rate in Hz, and whether a set has images of sound in sound's place."""
    if "audio" in about["bounds"]:
        return about["signal"]["sample_rate_hz"], False
    return about["front_end"]["parameters"]["sample_rate_hz"], True


def _scored(
    rows: pd.DataFrame, files: list[np.ndarray], treat: dict[str, hearing.Way], decide: dict[str, Decide]
) -> list:
    """Table and arrays after each treatment for each that decides; what was heard is kept with the first of them."""
    made = []
    for name, way in treat.items():
        seeds = [stable_hash(f"{source}/{name}") + trial for source, trial in zip(rows.source, rows.trial)]
        treated = way(files, seeds=seeds)
        for source, waveform in zip(rows.source, treated):
            finite.check(waveform, f"the treatment {name} of {source}", "samples", do="check its model and parameters")
        sounds = [to_pcm16(waveform) for waveform in treated]
        heard = [from_pcm16(sound) for sound in sounds]
        keys = {one: rows.key + f"/{name}/{one}" for one in decide}
        for number, one in enumerate(decide):
            decisions, confidences = decide[one](heard)
            table = rows.assign(key=keys[one], sound=next(iter(keys.values())), treatment=name, heard_by=one)
            table = table.assign(decision=decisions, decision_confidence=confidences)
            made.append((table.assign(outcome=_outcomes(table)), [{} if number else {"audio": it} for it in sounds]))
    return made


def _outcomes(rows: pd.DataFrame) -> pd.Series:
    """`GT`, `Adv` or `Diff` of classes, empty for texts."""
    attacked = rows.get("adversarial_prediction", pd.Series("", rows.index))
    missed = (rows.decision == attacked).map({True: "Adv", False: "Diff"})
    return missed.mask(rows.decision == rows.label, "GT").mask(rows.label == "", "")


def _told(table: pd.DataFrame) -> str:
    """The result in a line, of attacked clips where there are any: how many labels or texts are right."""
    attacked = "attack" in table and (table.attack != "none").any()
    rows = table[table.attack != "none"] if attacked else table
    right = rows.decision == rows.label.where(rows.label != "", rows.text)
    shares = right.groupby(rows.treatment, sort=False).mean()
    told = "decided rightly: " + ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
    if "undefined" in table:
        reasons = table.drop_duplicates("sound").undefined.value_counts().drop("", errors="ignore")
        told += "".join(f"; undefined in {count} clips: {reason}" for reason, count in reasons.items())
    return told


if __name__ == "__main__":
    run(main)
