"""Verb: what detectors say of attacked clips and others as loud: `python -m stages.detect STUDY ENTRY`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.detection import controls
from stages.detection.entries import Detector, bound
from stages.frame import clip_table, devices, finite, parameters, pcm, shards
from stages.frame.clip_table import stable_hash
from stages.frame.columns import typed
from stages.frame.errors import UserError, run
from stages.frame.parameters import Count, Name

GROUP = ["victim", "split", "attack", "epsilon", "target"]


@dataclass(frozen=True, kw_only=True)
class Detected:
    """An entry of `<study>.detected`.

    Attributes:
        set: the adversarial set, a folder of `data/<study>`.
        clips: the set that was attacked.
        victims: whose clips of that set are taken, and who decide.
        detectors: entries of `<study>.detectors`.
        batch_size: clips that are looked at together.
    """

    set: Name
    clips: Name
    victims: list[Name]
    detectors: list[str]
    batch_size: Count


def main(study: str, name: str) -> None:
    """Writes `data/<study>/detections/<name>`: rows of clips in these versions.

    `benign` is a clip as it is, of all but those trained on; `adversarial` what an attack of the set made of it. Test
    clips have two controls besides: `noise` lays the attack's own perturbation over the clip with its values shuffled
    and their signs drawn, `transplant` another clip's perturbation by the same attack. Each row has every detector's
    score, which is higher for benign clips, and what the victim decides.

    Raises:
        UserError: an entry does not fit, or something that it names is missing.
    """
    from stages import victim

    worker = devices.launch()
    entry = parameters.entry(Detected, f"{study}.detected.{name}")
    data, models = Path("data", study), Path("models", study)
    clips, attacked = shards.ShardSet(data / entry.clips), shards.ShardSet(data / entry.set)
    given = {one: parameters.entry(Detector, f"{study}.detectors.{one}") for one in entry.detectors}
    make = {one: bound(f"{study}.detectors.{one}", detector, models) for one, detector in given.items()}
    unknown = sorted(set(entry.victims) - set(attacked.table.victim))
    if unknown:
        expected = f"victims of {entry.set}, {', '.join(sorted(set(attacked.table.victim)))}"
        raise UserError(f"params.yaml: {study}.detected.{name}.victims", expected, unknown[0], "correct the name")
    plan = _plan(attacked.table[attacked.table.victim.isin(entry.victims)], clips.table)
    opened = sorted({models / one for one in [*plan.model, *(one.model for one in given.values() if one.model)]})
    for folder in opened:
        victim.import_network(folder)
    victims: dict[str, Any] = {}
    detectors: dict[str, Callable] = {}

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        if not detectors:
            detectors.update({one: open_detector(worker.device) for one, open_detector in make.items()})
        made = []
        for model, own in rows.groupby("model", sort=False):
            if model not in victims:
                victims[model] = victim.load(models / model, device=worker.device)
            versions = _versions(own.drop(columns="model"), clips, attacked, worker.device)
            made += [_scored(*version, victims[model], detectors) for version in versions]
        table = pd.concat(made, ignore_index=True)
        return table, [{}] * len(table)

    output = data / "detections" / name
    shards.write_set(
        plan,
        output,
        compute,
        inputs=[clips.folder, attacked.folder, *opened],
        settings=[entry, given, worker.device.split(":")[0]],
        worker=worker,
        description=f"detect {study} {name}",
        clips_per_shard=entry.batch_size,
    )
    if worker.rank == 0:
        print(f"{study} {name}: {_told(clip_table.read(output / 'clips.csv'), entry.detectors)}")


def _plan(attacked: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """All unattacked clips but those trained on, then what was kept of the attacks.

    Each test clip's row has its `lender`, a row of the same attack, epsilon and target, whose perturbation is laid over
    the clip as a control.
    """
    judged = clips.loc[
        (clips.problem == "") & (clips.split != "train"), ["clip_id", "label", "text", "speaker", "split", "duration_s"]
    ]
    attacked = attacked.assign(model=attacked.victim + ("/" + attacked.member if "member" in attacked else ""))
    models = attacked[["victim", "model"]].drop_duplicates()
    clean = judged.merge(models, how="cross").assign(attack="none", epsilon="0", target="")
    clean["key"] = clean.clip_id + "/" + clean.model
    # Sizes of what was added are those that the set gives of its own unattacked clips.
    sizes = [name for name in attacked if name.startswith(("l2_", "linf_", "snr_db", "relative_loudness_db"))]
    clean = clean.assign(**attacked.loc[attacked.attack == "none", sizes].iloc[0])
    kept = attacked[attacked.kept & (attacked.attack != "none")].drop(columns="shard")
    order = kept.clip_id.map(stable_hash)
    kept = kept.assign(order=order).sort_values([*GROUP, "order"], ignore_index=True).drop(columns="order")
    lender = kept.groupby(GROUP).key.transform(lambda keys: np.roll(keys, 1))
    controlled = (kept.split == "test") & (lender != kept.key)
    return pd.concat([clean.assign(lender=""), kept.assign(lender=lender.where(controlled, ""))], ignore_index=True)


def _versions(rows: pd.DataFrame, clips: shards.ShardSet, attacked: shards.ShardSet, device: str) -> Iterator[tuple]:
    """Table and inputs of each version of the clips, in turn."""
    from stages.victim import padded_batch

    clip_of = dict(zip(attacked.table.key, attacked.table.clip_id))

    def delta_of(key: str) -> shards.Arrays:
        made, clean = pcm.from_file(attacked.load(key), attacked.about.get("quantum", {})), clips.load(clip_of[key])
        return {name: made[name].astype("f4") - clean[name] for name in ("audio", "video")}

    def made(version: str, row: Any) -> shards.Arrays:
        clean = clips.load(row.clip_id)
        if version == "benign":
            return clean
        delta = delta_of(row.lender if version == "transplant" else row.key)
        return controls.disturbed(clean, controls.shuffled(delta, row.key) if version == "noise" else delta)

    clean, controlled = rows.attack == "none", rows.lender != ""
    versions = {"benign": clean, "adversarial": ~clean, "noise": controlled, "transplant": controlled}
    for version, chosen in versions.items():
        if chosen.any():
            table = rows[chosen].assign(source=rows.key[chosen], version=version)
            batch = [made(version, row) for row in table.itertuples()]
            table = table.assign(key=table.key + f"/{version}", video_values=[arrays["video"].size for arrays in batch])
            names = ("video", "audio", *({"faces"} & set(batch[0])))
            inputs = [padded_batch([arrays[name] for arrays in batch], device, name) for name in names]
            yield table, {key: value for one in inputs for key, value in one.items()}


def _scored(rows: pd.DataFrame, inputs: dict, victim: Any, detectors: dict[str, Callable]) -> pd.DataFrame:
    import torch

    with torch.no_grad():
        label, confidence = victim.decide(inputs)
        finite.check(confidence, rows.victim.iloc[0], "the confidence of decisions", do="train it again")
        columns = {"decision": victim.names(label), "decision_confidence": confidence.tolist()}
        for name, score in detectors.items():
            own = {name if key == "score" else f"{name}_{key}": one.tolist() for key, one in score(inputs).items()}
            if taken := sorted(own.keys() & {*rows, *columns}):
                raise UserError(f"params.yaml: a detector {name!r}", "columns of its own", taken[0], "rename it")
            columns |= own
    return rows.drop(columns="lender").assign(**columns)


def _told(table: pd.DataFrame, detectors: list[str]) -> str:
    """The result in a line: of test clips the mean score of attacked and of benign ones, and how many have none."""
    test = typed(table[table.split == "test"], numbers=detectors)
    means = test.groupby("version")[detectors].mean().reindex(["adversarial", "benign"])
    told = (f"{one} {' and '.join(f'{mean:.3g}' for mean in means[one])}" for one in detectors)
    without = (f"; {count} clips without {one}" for one, count in test[detectors].isna().sum().items() if count)
    return f"mean scores of attacked and of benign clips: {', '.join(told)}{''.join(without)}"


if __name__ == "__main__":
    run(main)
