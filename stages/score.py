"""Verb: treats sets of clips, and asks who hears them: `python -m stages.score STUDY ENTRY [SET]`."""

import functools
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from stages.frame import clip_table, content, devices, parameters, shards
from stages.frame.errors import UserError, each, run
from stages.frame.modules import find
from stages.frame.parameters import Count, Name, NonNegativeInt
from stages.frame.treatment import Treatment
from stages.scoring import batches, hearing, versions

# What is heard is kept as files hold it.
FILES = {"bounds": {"audio": [-1.0, 1 - 2**-15]}, "quantum": {"audio": 2**-15}}

# What of the plan's rows is never mixed in a shard, so that a new treatment or attack makes new shards alone.
BATCHES = ("treatment", "set", "model", "attack")


@dataclass(frozen=True, kw_only=True)
class Scored:
    """An entry of `<study>.scored`.

    Attributes:
        treatments: entries of `<study>.treatments`, None all.
        batch_size: clips that are treated together.
        sets: folders of `data/<study>`, adversarial sets or sets of mixtures; None where the call names one.
        heard_by: the victims that decide; None leaves each clip to the one that was attacked, which also decides on
            those of a set that the call names.
        attacks: those whose clips of `sets` are scored, None all; of a set that the call names all are.
        mixtures: how many are scored, None all of the test split.
        plays: in so many rooms, which no attacker has seen, attacked clips are played before they are treated.
        quality: whether what is heard is measured against the clean speech.
        opinion_of: the pretrained DNSMOS of the study that is asked what listeners would say of what is heard.
    """

    batch_size: Count
    treatments: list[str] | None = None
    sets: list[Name] | None = None
    heard_by: list[Name] | None = None
    attacks: list[str] | None = None
    mixtures: Count | None = None
    plays: NonNegativeInt = 0
    quality: bool = False
    opinion_of: Name | None = None


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
    chosen = entry.treatments or list(parameters.section(f"{study}.treatments"))
    wanted = {"attacks": entry.attacks if only is None else None, "mixtures": entry.mixtures, "plays": entry.plays}
    plan = versions.planned(sets, treatments=chosen, **wanted)
    heard_by = list(dict.fromkeys([*entry.heard_by, *(plan.model if only else [])])) if entry.heard_by else []
    if not heard_by and (plan.model == "").any():
        raise UserError(f"params.yaml: {where}.heard_by", "who decides on mixtures", "none", "name a victim")
    playback = parameters.section(f"{study}.playback") if entry.plays else {}
    rate_hz, of_images = _signal(sets[names[0]].about)
    told = {"sample_rate_hz": rate_hz, "device": worker.device}

    def opened(one: str) -> tuple[Treatment, hearing.Way]:
        given = parameters.entry(Treatment, f"{study}.treatments.{one}")
        return given, hearing.treated(study, one, given, of_images=of_images, **told)

    ways = each(opened, chosen)
    treatments = {one: given for one, (given, _) in ways.items()}
    task = batches.Task(
        models=models,
        heard_by=heard_by,
        sets=sets,
        clips=shards.ShardSet(data / "audio") if entry.quality else None,
        # What only some entries need is found by name, so that the others do not depend on it.
        measure=find("measures", "speech_quality", "quality", where=f"{where}.quality") if entry.quality else None,
        opinion_of=models / entry.opinion_of if entry.opinion_of else None,
        treatments=treatments,
        ways={one: way for one, (_, way) in ways.items()},
        playback=playback,
        play=hearing.played(study, playback, **told) if playback else None,
        of_images=of_images,
        **told,
    )
    deciding = {models / one for one in heard_by or plan.model}
    asked = sorted(deciding | {models / one.model for one in treatments.values() if one.model is not None})
    for folder in asked:
        victim.import_network(folder)
    output = data / "scores" / (only or name)
    shards.write_set(
        plan,
        output,
        partial(batches.scored, task),
        inputs=[
            *(one.folder for one in (*sets.values(), task.clips) if one is not None),
            *asked,
            *([task.opinion_of] if task.opinion_of else []),
            *(file for one in treatments.values() for file in one.files),
            *([playback["impulse_responses"]] if playback else []),
        ],
        settings=[entry, treatments, playback, worker.device.split(":")[0]],
        worker=worker,
        description=f"score {study} {only or name}",
        clips_per_shard=entry.batch_size,
        apart=tuple(column for column in BATCHES if column in plan),
        about=FILES | {"signal": {"sample_rate_hz": rate_hz}},
        made_of=partial(
            *(batches.made_of, task, functools.cache(content.of_files)),
            functools.cache(partial(versions.digest, sets)),
        ),
    )
    if worker.rank == 0:
        print(f"{study} {only or name}: {_told(clip_table.read(output / 'clips.csv'))}")


def _signal(about: dict) -> tuple[int, bool]:
    """The sampling rate in Hz, and whether a set has images of sound in sound's place."""
    if "audio" in about["bounds"]:
        return about["signal"]["sample_rate_hz"], False
    return about["front_end"]["parameters"]["sample_rate_hz"], True


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
