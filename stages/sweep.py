"""Verb: attacks every model of a network, at every strength: `python -m stages.sweep ITEM`."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table, devices, parameters, shards
from stages.frame.clip_table import stable_hash
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find
from stages.frame.parameters import Count, NonNegativeInt, Positive


def main(item: str) -> None:
    """Writes `data/<study>/sweeps/<item>`: a row for each model, clip, attack and epsilon, failures among them.

    A model is attacked on clips that it was not trained on, all of them or some of each label, also those that it
    decides wrongly, since the score is the recall on attacked data. Models of a defended regime are attacked at the
    epsilon that they were trained with, those of the regime `noise` not at all. What the attacks made is kept for a few
    clips and the models trained on real data alone.
    """
    worker = devices.launch()
    values = parameters.bind(_item, f"sweep_items.{item}", parameters.section(f"sweep_items.{item}"))()
    study, network = values["study"], values["network"]
    where = f"sweeps.{study}"
    settings = parameters.bind(_settings, where, parameters.section(where))()
    attacks = {name: _bound(name, given, f"{where}.attacks.{name}") for name, given in settings["attacks"].items()}
    models = Path("models", study, network)
    sets = [shards.ShardSet(Path("data", study, name)) for name in dict.fromkeys((values["inputs"], values["beside"]))]
    members = pd.concat([_members(models / name) for name in values["victims"]], ignore_index=True)
    members["network"] = network
    opened: dict[str, Any] = {}

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        from stages import victim

        made = []
        for folder, own in rows.groupby("folder", sort=False):
            if folder not in opened:
                opened.clear()
                opened[folder] = victim.load(folder, network=network, device=worker.device)
            made += _attacked(own, sets, opened[folder], attacks, settings["epsilons"])
        return pd.concat([table for table, _ in made]), [arrays for _, several in made for arrays in several]

    shards.write_set(
        _plan(members, sets[0].table, settings["attacked_clips_per_label"], settings["kept_clips_per_label"]),
        Path("data", study, "sweeps", item),
        compute,
        inputs=[*(one.folder for one in sets), models],
        settings=[values, settings, worker.device.split(":")[0]],
        worker=worker,
        description=f"sweep {item}",
        clips_per_shard=settings["batch_size"],
    )


def _item(*, study: str, inputs: str, beside: str, network: str, victims: list[str]) -> dict:
    """The checked entry of `sweep_items`."""
    return locals()


def _settings(
    *,
    epsilons: list[Positive],
    attacks: dict,
    attacked_clips_per_label: Count | None,
    kept_clips_per_label: NonNegativeInt,
    batch_size: Count,
) -> dict:
    """The checked entry of `sweeps`."""
    return locals()


def _bound(name: str, given: dict, where: str) -> Any:
    return parameters.bind(find("attacks", name, "attack", where=where), where, given, passed=("bounds", "epsilon"))


def _members(folder: Path) -> pd.DataFrame:
    """The models of one victim, as its training listed them."""
    table = clip_table.read(folder / "members.csv")
    return table.assign(victim=folder.name, folder=[str(folder / member) for member in table.member])


def _plan(members: pd.DataFrame, clips: pd.DataFrame, attacked: int | None, kept: int) -> pd.DataFrame:
    """A row for each model and readable clip that it is judged on; `kept` says of which what is made stays.

    Attacked are so many clips of each label (null: all), kept so many of the test clips for the models trained on real
    data alone, by a hash of their ids.
    """
    readable = clips.loc[clips.problem == "", ["clip_id", "label", "speaker", "split", "fold", "duration_s"]]
    order = readable.clip_id.map(stable_hash)
    readable["kept"] = (readable.split == "test") & (_rank(order, readable, "split") <= kept)
    plans = []
    for judged_by, own in members.groupby("judged_by", sort=False):
        chosen = readable if attacked is None else readable[_rank(order, readable, judged_by) <= attacked]
        plans.append(own.merge(chosen.assign(judged_on=chosen[judged_by]), on="judged_on"))
    # Clips of like length lie together, so that little of a batch is padding.
    plan = pd.concat(plans, ignore_index=True).sort_values(["folder", "duration_s"], kind="stable", ignore_index=True)
    key = plan.clip_id + "/" + plan.victim + "/" + plan.member
    return plan.assign(key=key, kept=plan.kept & (plan.regime == "single"))


def _rank(order: pd.Series, clips: pd.DataFrame, part: str) -> pd.Series:
    """The place of each clip among those of its label in its part of the corpus."""
    return order.groupby([clips[part], clips.label]).rank(method="first")


def _attacked(
    rows: pd.DataFrame, sets: list[shards.ShardSet], victim: Any, attacks: dict, epsilons: list[float]
) -> list[tuple[pd.DataFrame, list[shards.Arrays]]]:
    """Table and arrays of the clips as they are, and after each attack, all by one model."""
    import numpy as np
    import torch

    from stages.attacks import none
    from stages.measures.perturbation import snr_db
    from stages.victim import Goal, padded_batch

    device = next(victim.module.parameters()).device
    loaded = [{key: array for one in sets for key, array in one.load(clip).items()} for clip in rows.clip_id]
    raw = [padded_batch([arrays[taken] for arrays in loaded], device, taken) for taken in victim.module.takes]
    inputs = victim.module.prepare({key: value for one in raw for key, value in one.items()})
    (name,) = victim.bounds
    lengths = [len(arrays[name]) for arrays in loaded]
    goal = Goal(torch.tensor([victim.labels.index(label) for label in rows.label], device=device), targeted=False)
    with torch.no_grad():
        clean_label, clean_confidence = victim.decode(victim.logits(inputs))
    regime, epsilon = rows.regime.iloc[0], rows.training_epsilon.iloc[0]
    epsilons = {"single": epsilons, "noise": []}.get(regime, [epsilon])
    runs = [("none", 0.0, none.attack(victim, inputs, goal, bounds=victim.bounds))] + [
        (attack, strength, run(victim, inputs, goal, bounds=victim.bounds, epsilon={name: strength}))
        for attack, run in attacks.items()
        for strength in epsilons
    ]
    made = []
    for attack, strength, result in runs:
        with torch.no_grad():
            label, confidence = victim.decode(victim.logits(result.adversarial))
        perturbed = _cut(result.adversarial[name], lengths)
        deltas = [after - before for after, before in zip(perturbed, _cut(inputs[name], lengths))]
        table = rows.drop(columns=["folder", "member"]).assign(
            key=rows.key + f"/{attack}-{strength:g}",
            attack=attack,
            epsilon=strength,
            clean_prediction=[victim.labels[index] for index in clean_label.tolist()],
            clean_confidence=clean_confidence.tolist(),
            adversarial_prediction=[victim.labels[index] for index in label.tolist()],
            confidence=confidence.tolist(),
            success=goal.reached(label).tolist(),
            iterations=result.iterations.tolist(),
            forwards=result.forwards.tolist(),
            backwards=result.backwards.tolist(),
            **{f"l2_{name}": [float(np.square(delta, dtype="f8").sum() ** 0.5) for delta in deltas]},
            **{f"linf_{name}": [float(np.abs(delta).max()) for delta in deltas]},
        )
        if name == "audio":
            waveforms = _cut(inputs[name], lengths)
            table["snr_db_audio"] = [snr_db(clean, delta) for clean, delta in zip(waveforms, deltas)]
        made.append((table, [{name: one} if keep else {} for keep, one in zip(rows.kept, perturbed)]))
    return made


def _cut(batch: Any, lengths: list[int]) -> list[Any]:
    """Each example as an array without what pads it."""
    return [example[:length] for example, length in zip(batch.cpu().numpy(), lengths)]


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
